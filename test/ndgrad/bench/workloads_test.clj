(ns ndgrad.bench.workloads-test
  "The benchmarks run, and are the same in every library."
  (:require
   [clojure.java.io :as io]
   [clojure.set :as set]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.bench.startup :as startup]
   [ndgrad.bench.sweep :as sweep]
   [ndgrad.bench.table :as table]
   [ndgrad.bench.workloads :as workloads])
  (:import
   (java.io File)))

(set! *warn-on-reflection* true)

(def ^:private ^File root
  (-> (io/resource "ndgrad/bench/workloads.clj") io/file
      .getParentFile .getParentFile .getParentFile .getParentFile))

(deftest every-workload-runs
  (doseq [name (keys workloads/names)]
    (testing name
      (is (fn? (workloads/workload name)))
      (is (some? ((workloads/workload name))) "it gives what it computed"))))

(deftest the-sweep-runs-on-small-arrays
  (doseq [[name] sweep/names
          :let [[_ op dtype rows columns layout grad] (str/split name #" ")]
          :when (<= (* (parse-long rows) (parse-long columns)) 10000)]
    (testing name
      (is (some? ((workloads/workload name)))))))

(deftest other-libraries-have-the-same-workloads
  (let [peers (slurp (io/file root "bench" "peers.py"))
        [_ groups] (re-find #"(?s)GROUPS = \{(.*?)\n\}" peers)
        theirs (set (mapcat #(str/split (second %) #" ") (re-seq #": \"([^\"]*)\"" groups)))
        [_ ops] (re-find #"(?s)def torch_sweep(.*?)\n    def make" peers)
        their-ops (set (map second (re-seq #"\"([a-z0-9-]+)\":" ops)))]
    (is (= #{} (set/difference (set (keys workloads/names)) theirs)))
    (is (= #{} (set/difference (into #{} (map (fn [[name]] (second (str/split name #" ")))) sweep/names) their-ops)))))

(deftest a-table-has-a-row-for-each-workload
  (is (= (str "| µs | ndgrad | in a scope | PyTorch | ndgrad / PyTorch | in a scope / PyTorch |\n"
              "| --- | --: | --: | --: | --: | --: |\n"
              "| add | 75.0 | 2.00 | 150 | 0.50 | 0.01 |\n"
              "| sort | 1234 | – | – | – | – |")
         (table/table {:workloads [{:what "add" :micros {:ndgrad 75.0 :scoped 2.0 :torch 150.0}}
                                   {:what "sort" :micros {:ndgrad 1234.4}}]}))))

(deftest starts-are-timed
  (is (set/subset? (set (map first (drop 2 startup/names))) (set (map first sweep/names))))
  (is (pos? (#'startup/time-first "gradient")))
  (is (number? (#'startup/time-first "op sum f32 4 4 - -")))
  (is (= "| ms | ndgrad |\n| --- | --: |\n| require | 86.3 |"
         (table/starts {:starts [{:name "require" :what "require" :millis 86.27}]}))))

(deftest the-readme-has-the-table-of-the-results
  (let [readme (slurp (io/file root "README.md"))
        result (table/result (io/file root "bench" "results.json"))]
    (is (= (keys workloads/names) (map :name (:workloads result))) "each workload has been measured")
    (is (= readme (table/with-table readme result)) "bin/bench --table brings it up to date")))
