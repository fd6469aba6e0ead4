(ns ndgrad.call-test
  (:require
   [clojure.test :refer [deftest is]]
   [ndgrad.core :as nd])
  (:import
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(deftest a-lone-vector-of-numbers-is-an-operand
  (is (= 5 (nd/item (nd/einsum "ii" [[1 2] [3 4]]))))
  (is (= [[1 3] [2 4]] (nd/tolist (nd/einsum "ij->ji" [[1 2] [3 4]]))))
  (is (= 6 (nd/item (nd/einsum "i->" [1 2 3]))))
  (is (= 11
         (nd/item (nd/einsum "i,i" [1 2] [3 4]))
         (nd/item (nd/einsum "i,i" [(nd/array [1 2]) (nd/array [3 4])]))))
  (is (= 3 (nd/item (nd/einsum "i->" [(nd/array [1 2])]))))
  (is (thrown-with-msg? ArgumentException #"names 2 operands, 1 was given" (nd/einsum "i,i" [[1 2] [3 4]]))))
