(ns ndgrad.regressions-test
  "Ten things that array libraries with gradients get wrong: each a test by its name."
  (:require
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd])
  (:import
   (ndgrad MutationException)))

(set! *warn-on-reflection* true)

(defn- leaf
  ([data] (nd/array data {:requires-grad true}))
  ([data dtype] (nd/array data {:requires-grad true :dtype dtype})))

(defn- gradient
  "The gradient that (f leaf) leaves in a leaf."
  [f x]
  (let [x (leaf x)]
    (nd/backward! (f x))
    (nd/tolist (nd/grad-of x))))

(deftest repeated-indexes-add-up
  (is (= [2.0 1.0 0.0] (gradient #(nd/sum (nd/get % [0 0 1])) [1.0 2.0 3.0])))
  (is (= [[0.0 3.0] [0.0 0.0]]
         (gradient #(nd/sum (nd/get % [0 0 0] [1 1 1])) [[1.0 2.0] [3.0 4.0]])))
  (is (= [[2.0 2.0] [1.0 1.0]]
         (gradient #(nd/sum (nd/embedding % [0 1 0])) [[1.0 2.0] [3.0 4.0]]))))

(deftest a-second-backward-counts-intermediates-once
  (let [x (leaf [1.0 2.0])
        y (nd/* x x)
        z (nd/sum (nd/* y 3.0))]
    (nd/backward! z nil {:retain-graph true})
    (is (= [6.0 12.0] (nd/tolist (nd/grad-of x))))
    (is (nil? (nd/grad-of y)) "intermediates keep no gradient")
    (nd/backward! z)
    (is (= [12.0 24.0] (nd/tolist (nd/grad-of x))) "leaves add up, once a pass")))

(deftest mutating-through-a-view-is-seen
  (doseq [[what view] {"squeeze" #(nd/squeeze % {:axis 0})
                       "unsqueeze" #(nd/unsqueeze % 0)
                       "reshape" #(nd/reshape % [3 1])
                       "transpose" nd/transpose
                       "get" #(nd/get % 0)
                       "view of a view" #(nd/unsqueeze (nd/squeeze % {:axis 0}) 1)}]
    (testing what
      (let [x (nd/array [[1.0 2.0 3.0]])
            w (leaf [[1.0 1.0 1.0]])
            y (nd/sum (nd/* w x))
            before (nd/version x)]
        (nd/fill! (view x) 7.0)
        (is (= (inc before) (nd/version x)))
        (is (= [[7.0 7.0 7.0]] (nd/tolist x)))
        (let [e (is (thrown? MutationException (nd/backward! y)))]
          (is (= "mul" (:op (nd/error-data e))))
          (is (re-find #"fill!" (ex-message e))))
        (is (nil? (nd/grad-of w)) "no gradient was written")))))

(deftest mutating-what-nothing-saved-is-fine
  (let [x (nd/array [1.0 2.0])
        w (leaf [3.0 4.0])
        y (nd/sum (nd/+ w x 1))]
    (nd/fill! x 9.0)
    (nd/backward! y)
    (is (= [1.0 1.0] (nd/tolist (nd/grad-of w)))))
  (let [a (leaf [1.0 2.0])
        y (nd/+ a 1)
        z (nd/sum (nd/+ y 1))]
    (nd/no-grad (nd/mul! a 5.0))
    (nd/backward! z)
    (is (= [1.0 1.0] (nd/tolist (nd/grad-of a))))))

(deftest the-exponent-of-pow-has-a-gradient
  (let [x (leaf [2.0 3.0])
        p (leaf [3.0 2.0])]
    (nd/backward! (nd/sum (nd/pow x p)))
    (is (= [12.0 6.0] (nd/tolist (nd/grad-of x))))
    (is (nd/allclose (nd/grad-of p) [(* 8 (Math/log 2.0)) (* 9 (Math/log 3.0))])))
  (testing "0 to a positive power is flat in the exponent"
    (is (= [0.0] (gradient #(nd/sum (nd/pow [0.0] %)) [2.0])))))

(deftest host-numbers-do-not-widen-float32
  (let [x (nd/array [1.0 2.0] {:dtype :float32})]
    (doseq [[what y] {"*" (nd/* x 2.0)
                      "number first" (nd/* 2.0 x)
                      "+" (nd/+ x 1)
                      "/" (nd// x 3.0)
                      "pow" (nd/pow x 2.0)
                      "maximum" (nd/maximum x 0.5)
                      "where" (nd/where [true false] x 0.0)
                      "clip" (nd/clip x 0.0 1.5)
                      "leaky-relu" (nd/leaky-relu x {:slope 0.1})}]
      (is (= :float32 (nd/dtype y)) what))
    (is (= :float64 (nd/dtype (nd/* x (nd/array [2.0 2.0]))))
        "an array's dtype counts")
    (let [w (leaf [1.0 2.0] :float32)]
      (nd/backward! (nd/sum (nd/* w 2.0)))
      (is (= :float32 (nd/dtype (nd/grad-of w)))))))

(deftest triu-and-tril-have-gradients
  (let [x [[1.0 2.0 3.0] [4.0 5.0 6.0]]]
    (is (= [[1.0 1.0 1.0] [0.0 1.0 1.0]] (gradient #(nd/sum (nd/triu %)) x)))
    (is (= [[0.0 1.0 1.0] [0.0 0.0 1.0]] (gradient #(nd/sum (nd/triu % {:k 1})) x)))
    (is (= [[1.0 0.0 0.0] [1.0 1.0 0.0]] (gradient #(nd/sum (nd/tril %)) x)))))

(deftest products-with-zeros-have-gradients
  (is (= [6.0 0.0 0.0] (gradient nd/prod [0.0 2.0 3.0])))
  (is (= [0.0 0.0 0.0] (gradient nd/prod [0.0 0.0 3.0])))
  (is (= [[12.0 0.0] [4.0 3.0]]
         (gradient #(nd/sum (nd/prod % {:axis 1})) [[0.0 12.0] [3.0 4.0]])))
  (is (= [9.0 0.0 0.0] (gradient #(nd/sum (nd/cumprod %)) [0.0 2.0 3.0])))
  (is (= [1.0 4.0 0.0] (gradient #(nd/sum (nd/cumprod %)) [1.0 0.0 3.0]))
      "1 + x1 + x1·x2, x0 + x0·x2, x0·x1"))

(deftest writing-into-a-tracked-array-is-recorded
  (let [x (leaf [1.0 2.0 3.0])
        y (nd/* x 2)]
    (nd/set! y [0] 5)
    (nd/backward! (nd/sum y))
    (is (= [5.0 4.0 6.0] (nd/tolist y)))
    (is (= [0.0 2.0 2.0] (nd/tolist (nd/grad-of x)))))
  (let [x (leaf [1.0 2.0 3.0])
        v (leaf 10.0)
        y (nd/* x 2)]
    (nd/set! (nd/get y (nd/slice 1 nil)) [0] (nd/* v v))
    (nd/backward! (nd/sum (nd/* y y)))
    (is (= [2.0 100.0 6.0] (nd/tolist y)))
    (is (= [8.0 0.0 24.0] (nd/tolist (nd/grad-of x))))
    (is (= 4000.0 (nd/item (nd/grad-of v))))))

(deftest astype-keeps-the-graph
  (let [x (leaf [1.0 2.0])
        y (nd/astype x :float32)]
    (is (nd/requires-grad? y))
    (nd/backward! (nd/sum (nd/* y y)))
    (is (= :float64 (nd/dtype (nd/grad-of x))))
    (is (= [2.0 4.0] (nd/tolist (nd/grad-of x)))))
  (is (not (nd/requires-grad? (nd/astype (leaf [1.5]) :int32))) "integers carry no gradient"))
