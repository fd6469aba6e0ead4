(ns ndgrad.op.statistics-test
  "What NumPy says otherwise of statistics, or nothing, and what the op matrix does not see of them."
  (:require
   [clojure.test :refer [are deftest is]]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(deftest quantiles-beside-infinity
  ;; NumPy adds infinity times 0 to them.
  (is (= [2.0 ##Inf] (nd/tolist (nd/quantile [1.0 ##Inf 2.0] [0.5 1.0]))))
  (is (= [##-Inf 1.0] (nd/tolist (nd/quantile [##-Inf 1.0 2.0] [0 0.5])))))

(deftest the-middle-quantile-is-the-median
  (r/manual-seed! 1)
  (doseq [shape [[7] [4 6]]
          :let [x (r/randn shape)]]
    (is (nd/allclose (nd/median x {:axis -1}) (nd/quantile x 0.5 {:axis -1})))
    (is (nd/allclose ((nd/grad #(nd/sum (nd/median % {:axis -1}))) x)
                     ((nd/grad #(nd/sum (nd/quantile % 0.5 {:axis -1}))) x)))))

(deftest gradients-without-nan
  (let [x (nd/array [1.0 ##NaN 4.0])]
    (are [expected f] (= expected (nd/tolist ((nd/grad f) x)))
      [0.0 0.0 1.0] nd/nanmax
      [1.0 0.0 0.0] nd/nanmin
      [-1.5 0.0 1.5] nd/nanvar
      [-0.5 0.0 0.5] nd/nanstd)))

(deftest histograms-count-every-element-once
  (r/manual-seed! 2)
  (doseq [bins [1 7 [-10 0 0.5 10]]
          :let [x (r/randn [100])
                [counts edges] (nd/histogram x {:bins bins})]]
    (is (= 100 (nd/item (nd/sum counts))))
    (is (= (inc (nd/size counts)) (nd/size edges)))
    (is (nd/allclose 1.0 (nd/sum (nd/* (first (nd/histogram x {:bins bins :density true}))
                                       (nd/diff edges))))))
  (is (= [[2 1] [1.0 2.0 3.0]] (mapv nd/tolist (nd/histogram [1 1.5 3 4 ##NaN] {:bins 2 :range [1 3]})))))

(deftest correlation-of-a-variable-with-itself
  (is (= 1.0 (nd/item (nd/corrcoef [1.0 2.0 4.0]))))
  (is (NaN? (nd/item (nd/corrcoef [1.0 1.0])))))

(deftest differences-end-when-nothing-is-left
  (is (= [0] (nd/shape (nd/diff [1 2 4] {:n Integer/MAX_VALUE})))))
