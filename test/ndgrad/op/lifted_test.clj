(ns ndgrad.op.lifted-test
  "Every op inside functional transforms; `ndgrad.op.matrix.lifted` says what a row checks."
  (:require
   [clojure.test :refer [deftest is testing]]
   [ndgrad.op.matrix.lifted :as lifted]
   [ndgrad.op.matrix.samples :as samples])
  (:import
   (ndgrad.op.spec Batch Batch$Rule Primitive$Forward Primitive$Jvp Primitive$Vjp Spec)))

(set! *warn-on-reflection* true)

(defn- problems [rows]
  (mapv #(str (:line %) " " (:what %) " " (:problem %)) (take 5 (filter :problem rows))))

(deftest every-op-in-every-transform
  (let [counts (atom 0)]
    (doseq [op (samples/ops)]
      (let [rows (doall (lifted/rows op))]
        (swap! counts + (count rows))
        (testing (samples/op-name op)
          (is (= [] (problems rows))))))
    (println "  ops in transforms:" @counts "rows")
    (is (< 5000 @counts))))

(defn- triple
  "An op that multiplies by 3, but for what `change` does to its declaration."
  [change]
  (let [forward (reify Primitive$Forward
                  (apply [_ _ ins]
                    (let [^ndgrad.kernel.memory.Strided x (aget ins 0)
                          out (ndgrad.kernel.loop.Copies/copyOf x)
                          a ^double/1 (.array out)]
                      (dotimes [i (alength a)] (aset a i (* 3.0 (aget a i))))
                      out)))
        op (volatile! nil)]
    (vreset! op (-> (Spec/define "triple" "x")
                    (.domain -3.0 3.0 (double-array 0))
                    (.samples (into-array String ["#x [2 3]" "#x []"]))
                    (.vjp 0 "" (reify Primitive$Vjp (apply [_ _ _ g] (.of ^ndgrad.op.spec.Op @op (object-array [g])))))
                    ^Spec (change)
                    (.primitive forward)))))

(deftest the-rows-notice
  (let [bad #(into #{} (map (comp (fn [w] (if (vector? w) (first w) w)) :what)) (filter :problem (lifted/rows (triple %))))]
    (is (= #{} (bad identity)))
    (is (= #{} (bad (fn [^Spec s] (.batch s Batch/IN_FRONT)))))
    (is (contains? (bad (fn [^Spec s] (.batch s (reify Batch$Rule (apply [_ b] (.full b 0)))))) :batch))
    (is (contains? (bad (fn [^Spec s] (.jvp s (reify Primitive$Jvp (apply [_ _ _ _ ts] (aget ts 0)))))) :tangents))))
