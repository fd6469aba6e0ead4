(ns ndgrad.bench.table
  "What `bin/bench` has measured as a table in Markdown, and the README's table, which is that of bench/results.json."
  (:require
   [clojure.data.json :as json]
   [clojure.string :as str])
  (:import
   (java.util Locale)))

(set! *warn-on-reflection* true)

(def ^:private titles
  (array-map :ndgrad "ndgrad" :scoped "in a scope" :torch "PyTorch" :numpy "NumPy" :djl "DJL" :numpygrad "numpygrad"))

(defn- rounded
  "A number of microseconds with three digits that count."
  [x]
  (String/format Locale/ROOT (cond (nil? x) "–" (< x 10) "%.2f" (< x 100) "%.1f" :else "%.0f") (to-array (if x [x] []))))

(defn- ratio [x y]
  (if (and x y) (String/format Locale/ROOT "%.2f" (to-array [(/ (double x) (double y))])) "–"))

(defn- row [cells] (str "| " (str/join " | " cells) " |"))

(defn table
  "A result of bin/bench in Markdown: microseconds, and where PyTorch was timed the ratio of ndgrad's to its time."
  [{:keys [workloads]}]
  (let [columns (filter (fn [c] (some #(get-in % [:micros c]) workloads)) (keys titles))
        torch? (some #{:torch} columns)]
    (str/join
     "\n"
     (concat
      [(row (concat ["µs"] (map titles columns) (when torch? ["ndgrad / PyTorch" "in a scope / PyTorch"])))
       (row (cons "---" (repeat (+ (count columns) (if torch? 2 0)) "--:")))]
      (for [{:keys [what micros]} workloads
            :let [{:keys [ndgrad scoped torch]} micros]]
        (row (concat [what] (map #(rounded (micros %)) columns)
                     (when torch? [(ratio ndgrad torch) (ratio scoped torch)]))))))))

(defn starts
  "A result of `bin/bench --startup` in Markdown."
  [{:keys [starts]}]
  (str/join "\n" (concat [(row ["ms" "ndgrad"]) (row ["---" "--:"])]
                         (for [{:keys [what millis]} starts] (row [what (rounded millis)])))))

(def ^:private begin "<!-- bin/bench --table: begin -->")
(def ^:private end "<!-- bin/bench --table: end -->")

(defn readme-table
  "The table of a result with a line that says where and against what it was measured."
  [{:keys [machine contestants rounds] :as result}]
  (let [{:keys [cpu processors]} machine]
    (str (format "Medians of %d alternating rounds on %s, %d processors: %s.\n\n"
                 rounds cpu processors (str/join "; " (vals contestants)))
         (table result))))

(defn result
  "What a file written by `bin/bench --json` holds."
  [file]
  (json/read-str (slurp file) :key-fn keyword))

(defn with-table
  "The text of a README with the table of `result` between its marks."
  [readme result]
  (let [[before more] (str/split readme (re-pattern begin) 2)
        [_ after] (str/split more (re-pattern end) 2)]
    (str before begin "\n" (readme-table result) "\n" end after)))

(defn write-readme!
  "Puts the table of bench/results.json into README.md; what it says."
  []
  (let [result (result "bench/results.json")]
    (spit "README.md" (with-table (slurp "README.md") result))
    (readme-table result)))
