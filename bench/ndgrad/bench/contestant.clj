(ns ndgrad.bench.contestant
  "A process that times workloads when it is asked to, over standard input: it prints `ready`, a tab and what it is, then
  answers each line `SECONDS<tab>NAME` with the median time in microseconds, or `none`. So libraries can be timed in turn,
  each in a process of its own."
  (:require
   [clojure.string :as str])
  (:import
   (java.io BufferedReader)
   (java.lang.management CompilationMXBean ManagementFactory)))

(set! *warn-on-reflection* true)

(defn nanos
  "How long `n` calls of `f` take."
  ^long [f ^long n]
  (let [start (System/nanoTime)]
    (dotimes [_ n] (f))
    (- (System/nanoTime) start)))

(defn median-micros
  "The median time of a call of `f` in microseconds, over `seconds`. Calls are timed in bundles of at least ten
  milliseconds."
  [f seconds]
  (let [inner (max 1 (quot 10000000 (max 1 (nanos f 1))))
        end (+ (System/nanoTime) (long (* 1e9 (double seconds))))]
    (loop [times []]
      (if (or (< (count times) 3) (< (System/nanoTime) end))
        (recur (conj times (/ (nanos f inner) 1000.0 inner)))
        (nth (sort times) (quot (count times) 2))))))

(def ^:private compilation (ManagementFactory/getCompilationMXBean))

(defn- compile-millis
  "How long the JIT has compiled up to now."
  ^long []
  (.getTotalCompilationTime ^CompilationMXBean compilation))

(defn- warm-up
  "Calls `f` until the JIT has done its work: for four times `seconds`, then for as long as it compiles during more than a
  twentieth of the time; for a minute at most. Vectors take over kernel by kernel, in the background, and each is compiled."
  [f seconds]
  (let [end (+ (System/nanoTime) (long 60e9))]
    (loop [rounds 1]
      (let [before (compile-millis)]
        (median-micros f seconds)
        (when (and (< (System/nanoTime) end)
                   (or (< rounds 4) (> (- (compile-millis) before) (* 50 seconds))))
          (recur (inc rounds)))))))

(defn- warm
  "The workload of a name, from `recent` or made and warmed up; nil when there is none. `recent` keeps the last two, which
  are asked for in turn."
  [recent workload name seconds]
  (or (get @recent name)
      (when-let [f (workload name)]
        (warm-up f seconds)
        (swap! recent #(assoc (if (< (count %) 2) % {}) name f))
        f)))

(defn answer
  "What there is to say to a line; `workload` gives the function of a name, or nil."
  [recent workload line]
  (let [[seconds name] (str/split line #"\t" 2)
        seconds (parse-double seconds)]
    (try
      (if-let [f (warm recent workload name seconds)]
        (str (median-micros f seconds))
        "none")
      (catch Exception e (str "none\t" (str/replace (str e) #"\s+" " "))))))

(defn -main
  "Answers until its input ends. `contestant` is a namespace with `workload`, from a name to a function of no arguments or
  nil, and `description`."
  [contestant]
  (let [the (fn [name] @(requiring-resolve (symbol contestant name)))
        workload (the "workload")
        recent (atom {})]
    (println (str "ready\t" ((the "description"))))
    (flush)
    (doseq [line (line-seq (BufferedReader. *in*))]
      (println (answer recent workload line))
      (flush))
    (shutdown-agents)))
