(ns ndgrad.bench.startup
  "How long ndgrad takes to start: to be loaded by a Clojure that runs, to give a first gradient, and to run an op on 10⁶
  elements for the first time. Each figure comes from a process of its own, which knows of ndgrad what it times and nothing
  more; hence nothing of it is required here."
  (:require
   [clojure.string :as str]
   [ndgrad.bench.contestant :as contestant]))

(set! *warn-on-reflection* true)

(def names
  "What is timed, as [name what-it-is]: a name is `require`, `gradient`, or a workload of the sweep."
  (into [["require" "require of ndgrad.core"]
         ["gradient" "first gradient after it"]]
        (for [op ["exp" "gelu" "add" "where" "sum" "sum-0" "max-1" "argmax-1" "var-0" "softmax-1" "cumsum-1" "sort-1" "matmul"]]
          [(str "op " op " f32 1000 1000 - -") (str "first call of " op " on 10⁶ f32, beyond a later one")])))

(defn- millis
  "How long a call of `f` takes."
  [f]
  (/ (contestant/nanos f 1) 1e6))

(defn- first-gradient []
  (eval '(let [f (ndgrad.core/grad (fn [x] (ndgrad.core/sum (ndgrad.core/* x x))))]
           (str (f (ndgrad.core/array [1.0 2.0 3.0]))))))

(defn- time-first
  "Milliseconds of what a name stands for; of an op, those that its first call takes beyond a later one."
  [name]
  (case name
    "require" (millis #(require 'ndgrad.core))
    "gradient" (do (require 'ndgrad.core) (millis first-gradient))
    (let [f ((requiring-resolve 'ndgrad.bench.sweep/workload) name)
          first-call (millis f)]
      (- first-call (/ (contestant/median-micros f 1.0) 1e3)))))

(defn in-new-process
  "Milliseconds of what a name stands for, in a process of its own that has the engine `blas`."
  [blas name]
  (let [command ["bin/clj" (str "-M:bench:" blas) "-m" "ndgrad.bench.startup" name]
        process (.start (ProcessBuilder. ^java.util.List command))
        said (str/trim (slurp (.getInputStream process)))]
    (or (parse-double said)
        (throw (ex-info (str "a process that was to time " name " failed") {:name name :said said})))))

(defn -main
  "Prints the milliseconds of what `name` stands for."
  [name]
  (println (time-first name))
  (shutdown-agents))
