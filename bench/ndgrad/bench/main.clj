(ns ndgrad.bench.main
  "Times the workloads in ndgrad and in the libraries beside it, each in a process of its own, in turn: round by round and
  within a round one after the other, so that what else the machine does meets all alike. What is kept of a workload is
  the median of its rounds, each a median of many calls. `bin/bench --help` lists the options."
  (:require
   [clojure.data.json :as json]
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.tools.cli :as cli]
   [ndgrad.bench.startup :as startup]
   [ndgrad.bench.sweep :as sweep]
   [ndgrad.bench.table :as table]
   [ndgrad.bench.workloads :as workloads])
  (:import
   (java.io BufferedReader File Writer)
   (java.lang ProcessBuilder$Redirect)
   (java.lang.management ManagementFactory)
   (java.nio.file Files LinkOption Path)
   (java.util Locale)
   (org.openjdk.jmh Main)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; contestants

(defn- commands
  "Contestant -> its command line."
  [blas]
  {"ndgrad" ["bin/clj" (str "-M:bench:" blas) "-m" "ndgrad.bench.contestant" "ndgrad.bench.workloads"]
   "djl" ["bin/clj" "-M:bench:djl" "-m" "ndgrad.bench.contestant" "ndgrad.bench.djl"]
   "torch" ["python3" "bench/peers.py" "torch"]
   "numpy" ["python3" "bench/peers.py" "numpy"]
   "numpygrad" ["python3" "bench/peers.py" "numpygrad"]})

(defn- start
  "The process of a contestant once it is ready, with `:description`; nil, with a line that says so, when it can't start."
  [name command]
  (let [log (File/createTempFile "bench" ".log")
        process (.start (doto (ProcessBuilder. ^java.util.List command)
                          (.redirectError (ProcessBuilder$Redirect/to log))))
        in (io/reader (.getInputStream process))
        [ready description] (some-> (.readLine ^BufferedReader in) (str/split #"\t" 2))]
    (if (= ready "ready")
      {:name name :description description :in in :out (io/writer (.getOutputStream process)) :process process}
      (do (println (str name " is left out: " (last (str/split-lines (str (slurp log) " ")))))
          (.destroy process)))))

(defn- stop [{:keys [out ^Process process]}]
  (.close ^Writer out)
  (.waitFor process))

(defn- ask
  "The median time of a workload in microseconds, nil when the contestant hasn't got it."
  [{:keys [in out]} seconds workload]
  (.write ^Writer out (str seconds "\t" workload "\n"))
  (.flush ^Writer out)
  (let [answer (or (.readLine ^BufferedReader in) "none\tthe process ended")
        [micros why] (str/split answer #"\t" 2)]
    (when why (println "   " workload "-" why))
    (parse-double micros)))

;; ---------------------------------------------------------------------------------------------
;; the machine

(defn- copy-gigabytes
  "How many gigabytes of `megabytes` float arrays a second are copied by one thread, read and written bytes counted."
  [megabytes]
  (let [n (* 262144 (long megabytes)) from (float-array n) to (float-array n)
        time (fn [] (let [t (System/nanoTime)] (System/arraycopy from 0 to 0 n) (- (System/nanoTime) t)))
        best (apply min (repeatedly 20 time))]
    (/ (* 8.0 n) best)))

(defn- machine []
  (let [info (Path/of "/proc/cpuinfo" (make-array String 0))
        cpu (when (Files/exists info (make-array LinkOption 0))
              (second (re-find #"model name\s*:\s*(.*)" (String. (Files/readAllBytes info)))))]
    {:cpu (or cpu (System/getProperty "os.arch"))
     :processors (.availableProcessors (Runtime/getRuntime))
     :os (str (System/getProperty "os.name") " " (System/getProperty "os.version"))
     :jdk (System/getProperty "java.vm.version")
     :copy-gb-per-s {:1mb (copy-gigabytes 1) :64mb (copy-gigabytes 64)}
     :load (.getSystemLoadAverage (ManagementFactory/getOperatingSystemMXBean))}))

;; ---------------------------------------------------------------------------------------------
;; a sitting

(defn- median [xs]
  (let [xs (sort (remove nil? xs))]
    (when (seq xs) (nth xs (quot (count xs) 2)))))

(defn- asked
  "Who is asked for what: [column contestant workload] for a workload. ndgrad is timed twice, the second time with each
  call inside a scope of its own."
  [contestants workload]
  (for [{:keys [name] :as c} contestants
        [column prefix] (if (= name "ndgrad") [[:ndgrad ""] [:scoped "scoped "]] [[(keyword name) ""]])]
    [column c (str prefix workload)]))

(defn- measure
  "{:name, :what, :micros {column median}} of a workload."
  [contestants {:keys [rounds seconds]} [name what]]
  (let [turns (asked contestants name)
        times (group-by first (for [_ (range rounds), [column c workload] turns]
                                [column (ask c seconds workload)]))
        micros (into (array-map)
                     (for [[column] turns
                           :let [m (median (map second (times column)))]
                           :when m]
                       [column m]))]
    {:name name :what what :micros micros}))

(defn- line [{:keys [name what micros]}]
  (String/format Locale/ROOT "%-5s %-74s %s"
                 (to-array [(if (= name what) "" name) what
                            (str/join "  " (for [[column m] micros] (format "%s %.1f" (clojure.core/name column) m)))])))

(defn- chosen
  "The workloads that the options ask for, as [name what]."
  [{:keys [only sweep startup]}]
  (let [only? (if only (set (str/split only #",")) any?)
        op #(second (str/split % #" "))]
    (filter (fn [[name]] (or (only? name) (only? (op name))))
            (cond startup startup/names
                  sweep sweep/names
                  :else workloads/names))))

(defn- sitting
  "Runs what the options ask for and gives everything measured as data."
  [{:keys [against blas] :as options}]
  (let [names (remove #{"none"} (cons "ndgrad" (str/split against #",")))
        contestants (into [] (keep #(start % (get (commands blas) %))) names)
        before (machine)]
    (try
      {:machine before
       :contestants (into (array-map) (map (juxt (comp keyword :name) :description)) contestants)
       :rounds (:rounds options)
       :workloads (into [] (map (fn [w] (doto (measure contestants options w) (-> line println))))
                        (chosen options))}
      (finally (run! stop contestants)))))

(defn- starts
  "Times how ndgrad starts, each figure in a new process, round by round; everything measured as data."
  [{:keys [blas rounds] :as options}]
  (let [names (chosen options)
        times (group-by first (for [_ (range rounds), [name] names] [name (startup/in-new-process blas name)]))]
    {:machine (machine)
     :rounds rounds
     :starts (for [[name what] names] {:name name :what what :millis (median (map second (times name)))})}))

;; ---------------------------------------------------------------------------------------------
;; the command line

(def ^:private options
  [["-o" "--only LIST" "workloads by name, W03,W06; of the sweep, ops or whole names, add,op exp f32 100 100 - -"]
   ["-s" "--sweep" "single ops over sizes, dtypes and layouts instead of the whole workloads"]
   [nil "--startup" "how long it takes to load ndgrad, to a first gradient, and for first calls of ops, in milliseconds"]
   ["-a" "--against LIST" "libraries to time in turn with ndgrad: torch, numpy, djl, numpygrad, or none"
    :default "torch,numpy"]
   [nil "--seconds S" "how long a workload is timed in each round"
    :default 0.4 :parse-fn parse-double :validate [#(and % (pos? %)) "must be a positive number"]]
   [nil "--rounds N" "how often each is timed"
    :default 3 :parse-fn parse-long :validate [#(and % (pos? %)) "must be a positive integer"]]
   [nil "--blas ENGINE" "openblas or mkl" :default "openblas" :validate [#{"openblas" "mkl"} "openblas or mkl"]]
   [nil "--json FILE" "where everything measured goes"]
   [nil "--table" "print the README's table of bench/results.json, and write it there"]
   ["-h" "--help"]])

(defn- unknown
  "What is wrong with the names in the options, nil when nothing is."
  [{:keys [against blas only] :as options}]
  (let [libraries (conj (set (keys (commands blas))) "none")
        strange (remove libraries (str/split against #","))]
    (cond
      (seq strange) (str "no library called " (str/join ", " strange) "; there are "
                         (str/join ", " (sort (disj libraries "ndgrad"))))
      (empty? (chosen options)) (str "no workload called " only))))

(defn- bench [args]
  (let [{:keys [options errors summary]} (cli/parse-opts args options)
        wrong (or (first errors) (when-not (:help options) (unknown options)))]
    (cond
      (:help options) (println (str "bin/bench [options]\nbin/bench --jmh [options of JMH]\n\n" summary))
      wrong (do (println (str "bin/bench: " wrong)) (System/exit 2))
      (:table options) (println (table/write-readme!))
      :else (let [[measured table] (if (:startup options) [starts table/starts] [sitting table/table])
                  result (measured options)]
              (some-> (:json options) (spit (json/write-str result :indent true)))
              (println)
              (println (table result))))))

(defn -main
  "The command line of bin/bench."
  [& args]
  (if (= (first args) "--jmh")
    (Main/main (into-array String (rest args)))
    (bench args))
  (shutdown-agents))
