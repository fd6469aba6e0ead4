(ns ndgrad.random-test
  (:require
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]
   [ndgrad.test-support :refer [close?]])
  (:import
   (ndgrad ArgumentException DTypeException GraphException ShapeException)))

(set! *warn-on-reflection* true)

(def ^:private k (r/key 42))

(deftest shapes-and-dtypes
  (doseq [[f dtype] [[#(r/rand [2 3] %) :float64]
                     [#(r/randn [2 3] %) :float64]
                     [#(r/uniform -1 1 [2 3] %) :float64]
                     [#(r/normal 0 1 [2 3] %) :float64]
                     [#(r/truncated-normal 0 1 -1 1 [2 3] %) :float64]
                     [#(r/exponential 2 [2 3] %) :float64]
                     [#(r/randint 0 9 [2 3] %) :int64]
                     [#(r/bernoulli 0.5 [2 3] %) :bool]
                     [#(r/choice 9 [2 3] %) :int64]]]
    (is (= [[2 3] dtype] ((juxt nd/shape nd/dtype) (f {}))))
    (is (= [[2 3] :float32] ((juxt nd/shape nd/dtype) (f {:dtype :float32}))))
    (is (nd/requires-grad? (f {:dtype :float32 :requires-grad true})))
    (is (= (nd/tolist (f {:key k})) (nd/tolist (f {:key k}))))
    (is (not= (nd/tolist (f {:key (r/fold-in k 1)})) (nd/tolist (f {:key (r/fold-in k 3)}))))))

(deftest known-answers
  (is (= [0.653938184773127 0.2982192438997011] (nd/tolist (r/rand 2 {:key k}))))
  (is (= [6 2 2] (nd/tolist (r/randint 0 10 3 :key k))))
  (is (= 6 (nd/item (r/choice 10 [] {:key k})))))

(deftest seeds
  (is (= 7 (r/manual-seed! 7)))
  (let [draw #(vector (nd/tolist (r/randn 3)) (nd/tolist (r/permutation 9)))
        first-time (draw)]
    (is (not= first-time (draw)))
    (r/manual-seed! 7)
    (is (= first-time (draw)))))

(deftest keys-that-are-refused-name-what-was-called-once
  (is (thrown-with-msg? ArgumentException #"^split: the number of keys must not be negative, got -1$" (r/split k -1))))

(deftest keys-split
  (let [[a b] (r/split k)]
    (is (not= a b))
    (is (= [a b] (take 2 (r/split k 5))))
    (is (not= (nd/tolist (r/rand 3 {:key a})) (nd/tolist (r/rand 3 {:key b}))))))

(deftest generators-of-the-jdk
  (is (= (nd/tolist (r/rand 5 {:generator (java.util.SplittableRandom. 1)}))
         (nd/tolist (r/rand 5 {:generator (java.util.SplittableRandom. 1)})))))

(deftest orders-and-choices
  (is (= (range 9) (sort (nd/tolist (r/randperm 9)))))
  (is (= [[1 2] [3 4] [5 6]] (sort (nd/tolist (r/permutation [[1 2] [3 4] [5 6]])))))
  (is (= (range 5) (sort (nd/tolist (r/choice 5 5 {:replace false})))))
  (is (= [1 1 1] (nd/tolist (r/choice 3 3 {:p [0 1 0]}))))
  (doseq [n (range 100)
          :let [p (nd/softmax (r/randn 2000 {:dtype :float32 :key (r/fold-in k n)}))]]
    (is (= [3] (nd/shape (r/choice 2000 3 {:p p})))))
  (let [x (nd/arange 9)]
    (is (identical? x (r/shuffle! x)))
    (is (= (range 9) (sort (nd/tolist x))))
    (is (= :float32 (nd/dtype (r/permutation x {:dtype :float32}))))
    (is (= :float32 (nd/dtype (r/choice x 2 {:dtype :float32}))))))

(deftest array-parameters
  (is (= [false true] (nd/tolist (r/bernoulli [0.0 1.0] [2]))))
  (let [mean (nd/array [1.0 2.0] {:requires-grad true})]
    (nd/backward! (nd/sum (r/normal mean 0.1 [3 2])))
    (is (= [3.0 3.0] (nd/tolist (nd/grad-of mean)))))
  (testing "a number beside one is weak"
    (let [single (nd/array [1.0 2.0] {:dtype :float32}), whole (nd/array [1 2] {:dtype :int32})]
      (doseq [[dtype a b] [[:float32 single 3.5] [:float32 -1 single] [:float32 single single] [:float64 whole 3.5]
                           [:float64 single (nd/array 3.5)] [:float64 [1.0 2.0] 3.5]]
              f [r/uniform r/normal]]
        (is (= dtype (nd/dtype (f a b [2]))))
        (is (= :float64 (nd/dtype (f a b [2] {:dtype :float64}))))))))

(deftest bounds-of-arrays-are-those-of-numbers
  (doseq [[low high given] [[1 [0.0] [1.0 0.0]] [[0.0 1.0] [1.0 0.0] [1.0 0.0]] [[3 2] 2 [3.0 2.0]]
                            [[[1.0] [2.0]] [1.5 2.5] [2.0 1.5]] [[##NaN] 1 [##NaN 1.0]] [0 [##Inf] [0.0 ##Inf]]
                            [[-1e308] [1e308] [-1e308 1e308]]]
          f [#(r/uniform low high [2 2])
             #((nd/vmap (fn [low] (r/uniform low high [2 2]))) (nd/array [low]))
             #((nd/vmap (fn [high] (r/uniform low high [2 2]))) (nd/array [high]))
             #((nd/grad (fn [low] (nd/sum (r/uniform low high [2 2])))) (nd/array low {:dtype :float64}))]
          :let [e (try (f) (catch ArgumentException e e))]]
    (is (str/starts-with? (ex-message e) "uniform: needs finite low <= high, got "))
    (is (= (map str given) (map str (:given (nd/error-data e))))))
  (testing "a refused call draws nothing"
    (let [after (fn [f] (r/manual-seed! 3) (f) (nd/tolist (r/rand 2)))]
      (is (= (after (constantly nil)) (after #(try (r/uniform [1] [0] [1]) (catch ArgumentException _)))))))
  (is (= [[1.0 2.0]] (nd/tolist (r/uniform [1 2] [1 2] [1 2]))))
  (is (= [0] (nd/shape (r/uniform [] [] [0])))))

(deftest parameters-that-differ-between-examples
  (let [means (nd/array [1.0 -2.0 5.0]), stds (nd/array [0.5 2.0 0.0]), key {:key k}
        z (r/randn [2] key), u (r/rand [2] key)
        rows (fn [f] (nd/stack (mapv f (seq means) (seq stds))))]
    (testing "are checked and used for each"
      (is (close? (rows (fn [m s] (nd/+ m (nd/* s z)))) ((nd/vmap (fn [m s] (r/normal m s [2] key))) means stds)))
      (is (close? (nd/* (nd/unsqueeze stds 1) z) ((nd/vmap (fn [s] (r/normal 0 s [2] key))) stds)))
      (is (close? (nd/< u [[0.0] [0.5] [1.0]])
                  ((nd/vmap (fn [p] (r/bernoulli p [2] (assoc key :dtype :float64)))) (nd/array [0.0 0.5 1.0]))))
      (is (= :bool (nd/dtype ((nd/vmap (fn [p] (r/bernoulli p [2]))) (nd/array [0.0 0.5]))))))
    (testing "also in batches of batches, and where they are differentiated"
      (is (close? (nd/* [[[0.5] [1.0]] [[2.0] [0.0]]] z)
                  ((nd/vmap (nd/vmap (fn [s] (r/normal 0 s [2] key)))) (nd/array [[0.5 1.0] [2.0 0.0]]))))
      (doseq [slopes [(nd/vmap (nd/grad (fn [s] (nd/sum (r/normal 0 s [2] key)))))
                      (nd/grad (fn [stds] (nd/sum ((nd/vmap (fn [s] (r/normal 0 s [2] key))) stds))))]]
        (is (close? (nd/broadcast-to (nd/sum z) [3]) (slopes stds)))))
    (testing "but for probabilities of a choice"
      (is (thrown? GraphException ((nd/vmap (fn [p] (r/choice 2 [1] {:p p}))) (nd/array [[0.5 0.5]])))))
    (testing "one that is out of range is refused"
      (is (thrown-with-msg? ArgumentException #"^normal: needs std >= 0, got -1\.0$"
                            ((nd/vmap (fn [s] (r/normal 0 s [2]))) (nd/array [1.0 -1.0]))))
      (is (thrown-with-msg? ArgumentException #"^bernoulli: needs probabilities from 0 to 1, got 1\.5$"
                            ((nd/vmap (fn [p] (r/bernoulli p [2]))) (nd/array [0.5 1.5])))))
    (testing "no gradient is asked for an integer or a truth value"
      (is (thrown-with-msg? DTypeException #"^bernoulli: only floating arrays can require a gradient"
                            (r/bernoulli [0.5] [1] {:requires-grad true}))))))

(deftest bounds-of-integers
  (let [expected (nd/tolist (r/randint 0 10 [2 3] {:key k}))]
    (is (= expected
           (nd/tolist (r/randint 10 [2 3] {:key k}))
           (nd/tolist (r/randint 10 [2 3] :key k))
           (nd/tolist (r/randint (nd/array 0) (nd/array 10) (nd/array [2 3]) :key k)))))
  (is (= [2] (nd/shape (r/randint 10 [2]))))
  (is (= [] (nd/shape (r/randint 10 []))))
  (is (thrown-with-msg? ArgumentException #"^randint: expected a shape: \(randint high \[n\]\).*, got \[10 20\]$"
                        (r/randint 10 20)))
  (is (thrown-with-msg? ArgumentException #"^randint: high must be a whole number, got 2\.5" (r/randint 2.5 [3]))))

(deftest refused
  (testing "parameters"
    (is (thrown? ArgumentException (r/uniform 1 0 [2])))
    (is (thrown-with-msg? ShapeException #"^shuffle!: needs an array of at least one dimension, got a 0-d array$"
                          (r/shuffle! (nd/array 1.0))))
    (doseq [f [#(r/choice (nd/array 5) 2) #(r/permutation (nd/array 5))]]
      (is (thrown-with-msg? ShapeException #"got a 0-d array; an integer n stands for 0 to n-1$" (f))))
    (is (thrown? ArgumentException (r/choice 3 4 {:replace false})))
    (is (thrown-with-msg? ShapeException #"^choice: probabilities must have one dimension, got shape \[2, 2\]$"
                          (r/choice 4 2 {:p [[0.5 0.5] [0 0]]})))
    (is (thrown-with-msg? DTypeException #"^randperm: integers from 0 to below 3 do not fit bool$"
                          (r/randperm 3 {:dtype :bool})))
    (is (thrown? ShapeException (r/rand [-1])))
    (is (thrown? DTypeException (r/rand [1] {:dtype :int64}))))
  (testing "options"
    (is (thrown? ArgumentException (r/rand [2] {:dtyp :float32})))
    (is (thrown? ArgumentException (r/rand [2] :dtype)))
    (is (thrown? ArgumentException (r/rand [2] {:p [1]})))
    (is (thrown-with-msg? ArgumentException #"unknown option :dtype; it takes \[:key :generator\]"
                          (r/shuffle! (nd/arange 2) {:dtype :float32})))
    (is (thrown-with-msg? ArgumentException #"^rand: expected one source of numbers, :key or :generator"
                          (r/rand [2] {:key (r/key 0) :generator (java.util.Random. 0)})))))

(deftest keys-print-what-they-are
  (is (= "[Key[first=7, second=0]]" (pr-str [(r/key 7)]))))
