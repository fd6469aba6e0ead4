(ns ndgrad.op.statistics-test
  "What NumPy says otherwise of statistics, or nothing, and what the op matrix does not see of them."
  (:require
   [clojure.test :refer [are deftest is]]
   [ndgrad.core :as nd]
   [ndgrad.random :as r])
  (:import
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(deftest quantiles-beside-infinity
  ;; NumPy adds infinity times 0 to them.
  (is (= [2.0 ##Inf] (nd/tolist (nd/quantile [1.0 ##Inf 2.0] [0.5 1.0]))))
  (is (= [##-Inf 1.0] (nd/tolist (nd/quantile [##-Inf 1.0 2.0] [0 0.5]))))
  (is (= [##-Inf ##-Inf 1.0] (nd/tolist (nd/quantile [##-Inf 1.0] [0.25 0.75 1]))))
  (is (= [1.0 ##Inf ##Inf] (nd/tolist (nd/quantile [1.0 ##Inf] [0 0.25 0.75]))))
  (is (= ##Inf (nd/item (nd/quantile [##Inf ##Inf] 0.5)))))

(deftest equal-elements-share-the-gradient-of-a-quantile
  ;; Between two elements it is their weighted mean, whichever is larger.
  (are [expected q] (= expected (nd/tolist ((nd/grad #(nd/quantile % q)) (nd/array [2.0 2.0]))))
    [0.5 0.5] 0.5
    [0.75 0.25] 0.25
    [1.0 0.0] 0
    [0.0 1.0] 1))

(deftest quantiles-of-what-would-lose-its-gradient
  (let [f #(nd/quantile [1.0 2.0] %)]
    (is (thrown-with-msg? ArgumentException #"^quantile: q has no gradient; detach it$"
                          ((nd/grad f) (nd/array 0.5))))
    (is (thrown-with-msg? ArgumentException #"^quantile: q has no gradient; detach it$"
                          (nd/jvp f [0.5] [1.0])))
    (is (= 1.5 (nd/item (f (nd/array 0.5)))))
    (is (= 0.0 (nd/item ((nd/grad (comp f nd/stop-gradient)) (nd/array 0.5)))))))

(deftest means-with-weights-of-another-dtype
  ;; The sum of the weights has as many digits as that of the products.
  (let [x (nd/array [1.0 2.0 4.0])
        w (nd/array [0.1 0.2 0.4] {:dtype :float32})]
    (is (= (nd/item (nd/average x {:weights (nd/astype w :float64)})) (nd/item (nd/average x {:weights w}))))
    (is (= [:float32 :float64] (map #(nd/dtype (nd/average w {:weights %})) [[true false true] [1 0 1]])))))

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
      [-0.5 0.0 0.5] nd/nanstd)
    (is (= [0.0 0.0 0.0] (nd/tolist ((nd/grad nd/nanstd) (nd/array [2.0 ##NaN 2.0])))))))

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

(deftest what-has-no-histogram
  (are [message options x] (thrown-with-msg? ArgumentException message (nd/histogram x options))
    #"^histogram: bins must be from 1 to 2147483646, got 2147483647$" {:bins Integer/MAX_VALUE} [1.0]
    #"^histogram: the range must be two finite numbers in order, got \[Infinity, Infinity\]" {} [##Inf])
  (is (= [2.0 1.0] (:bins (try (nd/histogram [1.0] {:bins [2 1]}) (catch ArgumentException e (nd/error-data e)))))))

(deftest correlation-of-a-variable-with-itself
  (is (= 1.0 (nd/item (nd/corrcoef [1.0 2.0 4.0]))))
  (is (NaN? (nd/item (nd/corrcoef [1.0 1.0])))))

(deftest differences-end-when-nothing-is-left
  (is (= [0] (nd/shape (nd/diff [1 2 4] {:n Integer/MAX_VALUE})))))
