(ns ndgrad.tree-test
  (:require
   [clojure.test :refer [are deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.tree :as tree])
  (:import
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(defrecord Pair [a b])

(def ^:private nested
  (with-meta (array-map :z 1 :a [2 (list 3 {:k 4})] :p (->Pair 5 #{6}) :s (sorted-map :y 7 :x 8)) {:meta true}))

(deftest structures-are-kept
  (is (= [1 2 3 4 5 6 8 7] (tree/leaves nested)))
  (doseq [same [(tree/map-leaves identity nested) (tree/rebuild nested (tree/leaves nested))
                (tree/map-leaves identity (tree/in-order identity nested))]]
    (is (= nested same))
    (is (= {:meta true} (meta same)))
    (is (= (keys nested) (keys same)))
    (is (instance? Pair (:p same)))
    (is (set? (:b (:p same))))
    (is (sorted? (:s same)))
    (is (list? (second (:a same))))))

(deftest leaves-keep-their-order
  (let [many (apply array-map (mapcat (fn [i] [(keyword (str "k" i)) i]) (range 20)))]
    (is (= (range 20) (tree/leaves (tree/map-leaves identity many))))
    (is (= (keys many) (keys (tree/rebuild many (range 20))))))
  (let [members (into #{} (map (fn [i] {:at i})) (range 20))
        renamed (tree/in-order str members)]
    (is (= (map str (tree/leaves members)) (tree/leaves renamed)))
    (is (= (into #{} (map (fn [i] {:at (inc i)})) (range 20))
           (tree/rebuild renamed (map inc (tree/leaves members)))))))

(deftest leaves-are-chosen
  (let [a (nd/array [1.0])
        x {:a a :b [2 (list 3.0 :c)]}]
    (is (= {:a nil :b [:two (list :three nil)]} (tree/put x number? [:two :three] (constantly nil))))
    (is (= [[1.0] 3.0] (mapv nd/tolist (tree/pick #(or (nd/array? %) (double? %)) x))))
    (is (identical? a (first (tree/pick nd/array? x))))
    (testing "numbers that stand for Arrays become some"
      (let [y (tree/as-arrays x)]
        (is (identical? a (:a y)))
        (is (= 2 (first (:b y))))
        (is (= 3.0 (nd/item (first (second (:b y))))))))
    (testing "a structure holds no Array of the data, and takes others"
      (let [s (tree/structure {:x #{a} :y :c})]
        (is (not-any? #{a} (tree/leaves s)))
        (is (= {:x #{5} :y :c} (tree/put s nd/array? [5] identity)))))))

(deftest what-other-data-has-at-the-places
  (are [like x found] (= found (tree/matched "x" like x))
    {:a 1 :b [2 3]} (array-map :b (list :two nil) :a :one) [:one :two nil]
    [] () []
    #{} #{} []
    #{1} #{:one} [:one]
    #{1} [:one] [:one]
    #{:a :b} #{:b :a} (vec #{:a :b})
    #{:a :b} #{nil} [nil nil])
  (is (= [0 0 nil 1] (tree/prefixed "x" {:a #{1 2} :b [3 4]} {:a 0 :b [nil 1]})))
  (are [message like x] (thrown-with-msg? ArgumentException message (tree/matched "x" like x))
    #"^x: expected a map with the keys \[:a\], got nil$" {:a 1} nil
    #"^x at \[:a\]: expected a list of 1, got a list of 2$" {:a [1]} {:a [1 2]}
    #"^x: expected a set of 2, got a leaf$" #{1 2} 3
    #"^x at \[0\]: the members of a set can't be told apart; use a vector or a map$" [#{1 2}] [#{1 3}]
    #"the members of a set can't be told apart" #{1 2} [1 2]
    #"the members of a set can't be told apart" [1 2] #{1 2}))

(deftest leaves-without-a-place
  (let [check #(tree/check-places "x" int? %)]
    (testing "are those beside others in a set"
      (doseq [x [#{1 2} {:a [#{1 :b}]} #{[1] :c}]]
        (is (thrown-with-msg? ArgumentException #"^x: the members of a set" (check x)))))
    (doseq [x [1 nil [1 2] {:a 1 :b (list 2 #{3})} #{:a :b} {:a #{}}]]
      (is (= x (check x))))))
