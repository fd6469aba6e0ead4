(ns ndgrad.call-test
  (:require
   [clojure.test :refer [are deftest is testing]]
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

(deftest a-lone-list-with-an-array-in-it-is-a-list-of-operands
  (let [a (nd/array [1 2])]
    (doseq [operands [[a [3 4]] [[3 4] a] (list a [3 4]) (java.util.List/of a [3 4]) (object-array [a [3 4]])]]
      (is (= 11 (nd/item (nd/einsum "i,i" operands)))))
    (is (= [2 4] (nd/tolist (nd/einsum "i,->i" [a 2]))))))

(deftest an-option-is-given-once
  (doseq [call [#(nd/sum [[1 2] [3 4]] 0 {:axis 1})
                #(nd/sum [[1 2] [3 4]] 0 :axis 1)
                #(nd/sum [[1 2] [3 4]] {:axis 0 "axis" 1})
                #(nd/sum [[1 2] [3 4]] :axis 0 {"axis" nil})]]
    (is (thrown-with-msg? ArgumentException #"^sum: option axis is given twice$" (call)))))

(deftest options-are-told-from-arguments
  (let [x (nd/array [[1.0 2.0 3.0] [4.0 5.0 6.0]])]
    (testing "a map, keyword arguments, both, or values in order"
      (are [call] (= [[6.0] [15.0]] (nd/tolist call))
        (nd/sum x {:axis 1 :keepdims true})
        (nd/sum x :axis 1 :keepdims true)
        (nd/sum x :keepdims true :axis 1)
        (nd/sum x :axis 1 {:keepdims true})
        (nd/sum x :axis 0 {:keepdims true :axis 1})
        (nd/sum x 1 {:keepdims true})
        (nd/sum x 1 :keepdims true)
        (nd/sum x 1 true)))
    (testing "a keyword can be a value where words are"
      (are [dtype call] (= dtype (nd/dtype call))
        :float32 (nd/astype x :float32)
        :int64 (nd/zeros [2] :int64)
        :int64 (nd/zeros [2] :dtype :int64)
        :bool (nd/zeros [2] {:dtype :bool}))
      (is (= 6.0 (nd/item (nd/norm (nd/array [1.0 -6.0]) :inf))))
      (is (= 6.0 (nd/item (nd/norm (nd/array [1.0 -6.0]) :ord :inf)))))
    (testing "in place"
      (is (= [[3.0 2.0 1.0]] (nd/tolist (nd/sort! (nd/array [[2.0 3.0 1.0]]) :descending true)))))
    (testing "what is wrong is said"
      (are [message call] (thrown-with-msg? ArgumentException message call)
        #"keyword arguments in pairs" (nd/sum x :axis)
        #"keyword arguments in pairs" (nd/sum x :axis 1 :keepdims)
        #"unknown option axes" (nd/sum x :axes 1)
        #"unknown option dtypo" (nd/zeros [2] :dtypo :int64)
        #"option axis is given twice" (nd/sum x 1 :axis 1)
        #"sort!.*keyword arguments in pairs" (nd/sort! (nd/copy x) :axis)))))
