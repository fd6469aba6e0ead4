(ns ndgrad.op.matrix-test
  "The op matrix: every op of the registry, with every combination of dtypes and every layout that
  makes sense for its samples. What a row is and what it checks is written where it is made:

    samples       from a declaration to concrete cases
    expected      what NumPy and PyTorch say about them (bin/oracle writes it)
    values        results, purity, layouts
    gradients     first and second order, shapes, dtypes, layouts
    in-place      in-place forms, saved values
    errors        calls that must fail
    api           the functions of ndgrad.core
    declarations  what a declaration must say"
  (:require
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.op.matrix.api :as api]
   [ndgrad.op.matrix.declarations :as declarations]
   [ndgrad.op.matrix.errors :as errors]
   [ndgrad.op.matrix.expected :as expected]
   [ndgrad.op.matrix.gradients :as gradients]
   [ndgrad.op.matrix.in-place :as in-place]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.values :as values])
  (:import
   (ndgrad.kernel.loop Copies)
   (ndgrad.kernel.memory Strided)
   (ndgrad.op Arithmetic)
   (ndgrad.op.spec Op Primitive$Forward Primitive$Vjp Spec)))

(set! *warn-on-reflection* true)

(def ^:private counts "Rows of each kind that have run." (atom (array-map)))

(defn- short-line [^String s] (if (< 400 (count s)) (str (subs s 0 400) " ...") s))

(defn- all-well
  "Runs the rows of every op and asserts that none has a problem."
  [kind rows-of]
  (doseq [op (samples/ops)]
    (let [rows (doall (rows-of op))
          bad (filter :problem rows)]
      (swap! counts update kind (fnil + 0) (count rows))
      (testing (samples/op-name op)
        (is (= [] (map (comp short-line values/report) (take 5 bad)))
            (str (count bad) " of " (count rows) " rows"))))))

(deftest declarations-are-complete
  (doseq [op (samples/ops)]
    (is (= [] (declarations/op-problems op)) (samples/op-name op))))

(deftest the-declaration-check-notices
  (let [problems (fn [spec] (set (declarations/spec-problems spec)))
        sound (fn [] (-> (Spec/define "thing" "x, knob: int = 1")
                         (.doc "A thing.") (.param "knob" "a knob")
                         (.domain -3.0 3.0 (double-array 0)) (.oracle "x")
                         (.samples (into-array String ["#x [2]" "#x [3] {:knob 2}"]))))]
    (is (= #{} (problems (sound))))
    (is (contains? (problems (.doc ^Spec (sound) "")) "no doc"))
    (is (contains? (problems (.oracle ^Spec (sound) ""))
                   "neither an oracle nor a reason for lacking one"))
    (is (contains? (problems (.param ^Spec (sound) "knob" "")) "no doc of parameter knob"))
    (is (= #{"floating arrays but no domain" "fewer than two samples"}
           (problems (-> (Spec/define "thing" "x") (.doc "A thing.") (.oracle "x")
                         (.samples (into-array String ["#x [2]"]))))))
    (is (some #(str/includes? % "can't be read")
              (problems (.samples ^Spec (sound) (into-array String ["#x [2"])))))
    (is (= ["neither a rule nor a reason for lacking one"]
           (declarations/op-problems
             (.primitive ^Spec (sound) (reify Primitive$Forward
                                         (apply [_ _ ins] (aget ins 0)))))))))

;; ---- the rows notice --------------------------------------------------------------------------

(defn- tripled
  "Three times an array: fresh, or in the array itself."
  ^Strided [^Strided x in-itself?]
  (let [^Strided out (if in-itself? x (Copies/copyOf x))
        array (.array out)]
    (when (instance? double/1 array)
      (dotimes [i (alength ^double/1 array)]
        (aset ^double/1 array i (* 3.0 (aget ^double/1 array i)))))
    out))

(defn- triple
  "An op that multiplies by 3, with a rule that saves `saves` and multiplies by `factor`."
  [{:keys [saves factor in-itself? alias?] :or {saves "" factor 3.0}}]
  (-> (Spec/define "triple" "x")
      (.domain -3.0 3.0 (double-array 0))
      (.samples (into-array String ["#x [2 3]" "#x []"]))
      (.inPlace)
      (.vjp 0 saves (reify Primitive$Vjp
                      (apply [_ _ _ g] (.of Arithmetic/MUL (object-array [g factor])))))
      (.primitive (reify Primitive$Forward
                    (apply [_ _ ins]
                      (let [^Strided x (aget ins 0)]
                        (if alias? x (tripled x in-itself?))))))))

(deftest the-rows-notice
  (let [problems (fn [rows-of op]
                   (set (keep (comp #(when % (re-find #"^\w+ \w+ \w+" %)) :problem) (rows-of op))))
        sound (triple {})]
    (is (= #{"no expected value"} (problems values/rows sound)))
    (is (= #{} (problems gradients/rows sound)))
    (is (= #{} (problems in-place/rows sound)))
    (is (= #{} (problems in-place/saved-rows sound)))
    (is (= #{} (problems errors/rows sound)))
    (testing "a wrong rule"
      (is (contains? (problems gradients/rows (triple {:factor 2.0})) "gradient of input")))
    (testing "a result that is the input"
      (is (contains? (problems values/rows (triple {:alias? true})) "the result shares")))
    (testing "an input that is changed"
      (is (contains? (problems values/rows (triple {:in-itself? true})) "input 0 was")))
    (testing "a rule that saves what it doesn't read"
      (is (contains? (problems in-place/saved-rows (triple {:saves "x"})) "the rule doesn"))
      (is (contains? (problems in-place/saved-rows (triple {:saves "out"})) "the rule doesn")))))

(deftest derived-files-are-fresh
  (let [{:keys [exit err]}
        (shell/sh (str (io/file (System/getProperty "java.home") "bin" "java"))
                  "-cp" (System/getProperty "java.class.path")
                  "dev/generate/Generate.java" "--check")]
    (is (zero? exit) err)))

(deftest expected-values-are-fresh
  (is (= [] (for [op (samples/ops)
                  :when (not (contains? expected/without-oracle (samples/op-name op)))
                  :when (not= (expected/fingerprint op) (:fingerprint (expected/of op)))]
              (samples/op-name op)))
      "declarations have changed: run bin/oracle"))

(deftest ops-without-an-oracle-are-known
  (is (= (set (keys expected/without-oracle))
         (set (for [^Op op (samples/ops) :when (str/blank? (.oracle (.spec op)))] (.name op))))))

(deftest values-and-layouts (all-well "values and layouts" values/rows))

(deftest first-and-second-gradients (all-well "gradients" gradients/rows))

(deftest gradients-of-mixed-dtypes (all-well "gradients of mixed dtypes" gradients/mixed-rows))

(deftest in-place-forms (all-well "in-place forms" in-place/rows))

(deftest saved-values (all-well "saved values" in-place/saved-rows))

(deftest error-inputs (all-well "errors" errors/rows))

(deftest clojure-functions (all-well "Clojure functions" api/rows))

(deftest the-matrix-is-not-empty
  (println (str "op matrix: " (reduce + (vals @counts)) " rows of " (count (samples/ops)) " ops ("
                (str/join ", " (for [[kind n] @counts] (str n " " kind))) ")"))
  (doseq [[what table] {"has no oracle" expected/without-oracle
                        "has results of its own" values/otherwise
                        "has kinks that differences can't avoid" gradients/rough
                        "has no gradient for its first array" gradients/for-shape-only
                        "saves what it rarely reads" in-place/reads-at-times}
          [op why] table]
    (println (str "op matrix, not compared: " (str/join " " (flatten [op])) " " what ": " why)))
  (doseq [[kind n] @counts] (is (pos? n) kind)))
