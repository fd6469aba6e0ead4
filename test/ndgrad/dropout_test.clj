(ns ndgrad.dropout-test
  (:require
   [clojure.test :refer [deftest is]]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(def ^:private dropped (comp nd/tolist nd/dropout))

(deftest the-same-key-gives-the-same-zeros
  (let [x (nd/ones [100])]
    (is (= (dropped x {:key (r/key 1)}) (dropped x {:key (r/key 1)})))
    (is (not= (dropped x {:key (r/key 1)}) (dropped x {:key (r/key 2)})))
    (is (= #{0.0 2.0} (set (dropped x {:key (r/key 1)}))))))

(deftest the-process-generator-is-seeded
  (let [draw #(do (r/manual-seed! 5) [(dropped (nd/ones [50])) (dropped (nd/ones [50]))])
        [a b] (draw)]
    (is (not= a b))
    (is (= [a b] (draw)))))

(deftest evaluation-draws-nothing
  (let [next-draw #(do (r/manual-seed! 5) (%) (nd/tolist (r/rand [3])))]
    (is (= (next-draw (constantly nil))
           (next-draw #(nd/dropout [1.0] {:training false}))
           (next-draw #(nd/dropout [1.0] {:p 0.0}))
           (next-draw #(nd/dropout [1.0] {:key (r/key 0)}))))))
