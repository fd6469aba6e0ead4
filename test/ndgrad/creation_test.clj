(ns ndgrad.creation-test
  (:require
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd])
  (:import
   (ndgrad ArgumentException Array DTypeException ShapeException)))

(set! *warn-on-reflection* true)

(deftest ranges-take-their-arguments-in-every-way
  (is (= [0 1 2 3 4] (nd/tolist (nd/arange 5))))
  (is (= [2 3 4] (nd/tolist (nd/arange 2 5)) (nd/tolist (nd/arange 2 {:stop 5}))))
  (is (= [5 3 1] (nd/tolist (nd/arange 5 0 -2))))
  (is (= 10 (nd/size (nd/arange 0 1 0.1))))
  (is (= :float32
         (nd/dtype (nd/arange 5 {:dtype :float32}))
         (nd/dtype (nd/arange 5 :dtype :float32))
         (nd/dtype (nd/arange 0 5 {:dtype :float32}))
         (nd/dtype (nd/arange 0 5 1 :dtype :float32))
         (nd/dtype (nd/arange 0 5 1 :float32))))
  (is (= '([start] [start stop] [start stop step] [start {:keys [stop step dtype requires-grad]}])
         (:arglists (meta #'nd/arange))))
  (is (= [0.0 0.5 1.0] (nd/tolist (nd/linspace 0 1 3)) (nd/tolist (nd/linspace 0 1 :num 3)))))

(deftest a-range-begins-with-its-first-number-whatever-the-step
  (is (= [0.5] (nd/tolist (nd/arange 0.5 100 1e308 {:dtype :float32}))))
  (is (= [1.7e308] (nd/tolist (nd/arange 1.7e308 1.75e308 1e308)))))

(deftest factories
  (is (= [[0.0 0.0]] (nd/tolist (nd/zeros [1 2]))))
  (is (= [1 1] (nd/tolist (nd/ones 2 {:dtype :int64}))))
  (is (= [[1 2] [1 2]] (nd/tolist (nd/full [2 2] [1 2]))))
  (is (= [[1.0 0.0] [0.0 1.0]] (nd/tolist (nd/eye 2))))
  (is (= [true true] (nd/tolist (nd/ones-like [false true]))))
  (is (nd/requires-grad? (nd/zeros [2] {:requires-grad true}))))

(deftest refused
  (is (thrown? ShapeException (nd/zeros [-1])))
  (is (thrown? ArgumentException (nd/arange 0 5 0)))
  (is (thrown? DTypeException (nd/ones [2] {:dtype :int64 :requires-grad true}))))

(deftest primitive-arrays-of-any-dtype
  (let [x ^Array (nd/array [[0.0 -1.9] [2.5 300.0]])
        columns ^Array (nd/T x)]
    (is (= [0 -1 2 300] (vec (.toIntArray x)) (vec (.toLongArray x))))
    (is (= [0 2 -1 300] (vec (.toIntArray columns))) "in the order of the rows")
    (is (= [false true true true] (vec (.toBooleanArray x))))
    (is (= [1 0] (vec (.toIntArray ^Array (nd/array [true false])))))
    (testing "is a copy, also of its own dtype"
      (let [n ^Array (nd/array (int-array [1 2]))]
        (aset (.toIntArray n) 0 7)
        (is (= [1 2] (nd/tolist n))))
      (let [b ^Array (nd/array [true])]
        (aset (.toBooleanArray b) 0 false)
        (is (= [true] (nd/tolist b)))))))
