(ns ndgrad.op.solving-test
  "What the op matrix does not see of equations with matrices: gradients through positive definite matrices, matrices of
  more than one block, factors that outlive a change of their matrix, and errors."
  (:require
   [clojure.test :refer [are deftest is testing]]
   [ndgrad.check :as check]
   [ndgrad.core :as nd]
   [ndgrad.random :as r])
  (:import
   (ndgrad ArgumentException ShapeException)))

(set! *warn-on-reflection* true)

(defn- definite [x] (nd/+ (nd/matmul x (nd/T x)) (nd/eye (first (nd/shape x)))))

(defn- regular [n] (nd/+ (r/uniform -1.0 1.0 [n n]) (nd/* n (nd/eye n))))

(deftest gradients-of-two-orders
  (r/manual-seed! 5)
  (are [f inputs] (:pass? (check/gradgradcheck f inputs))
    #(nd/cholesky (definite %)) [(r/randn [3 3])]
    #(nd/solve (definite %1) %2) [(r/randn [3 3]) (r/randn [3])]
    #(nd/solve-triangular (nd/cholesky (definite %1)) %2) [(r/randn [3 3]) (r/randn [3 2])]
    #(second (nd/slogdet (definite %))) [(r/randn [3 3])]))

(deftest gradients-across-blocks
  (r/manual-seed! 6)
  (let [n 19]
    (are [f inputs] (empty? (:failures (check/gradcheck f inputs)))
      #(nd/cholesky (definite %)) [(r/randn [n n])]
      nd/solve [(regular n) (r/randn [n 2])]
      nd/inv [(regular n)]
      #(second (nd/slogdet %)) [(regular n)]
      #(nd/solve-triangular %1 %2 {:upper true}) [(regular n) (r/randn [n 2])])))

(deftest a-gradient-of-a-definite-matrix-is-symmetric
  (r/manual-seed! 7)
  (let [x (nd/detach (definite (r/randn [4 4])))
        g ((nd/grad #(nd/sum (nd/cholesky %))) x)]
    (is (nd/allclose g (nd/T g)))
    (testing "and only the lower triangle is read"
      (is (nd/array-equal (nd/cholesky x) (nd/cholesky (nd/tril x)))))))

(deftest equations-in-transforms
  (r/manual-seed! 8)
  (let [as (nd/+ (r/randn [3 4 4]) (nd/* 5 (nd/eye 4)))
        b (r/randn [4])
        f #(nd/sum (nd/solve % b))]
    (is (nd/allclose ((nd/vmap (nd/grad f)) as) (nd/stack (mapv (nd/grad f) (seq as)))))
    (is (nd/allclose ((nd/grad (nd/fuse f)) (nd/get as 0)) ((nd/grad f) (nd/get as 0))))
    (is (nd/allclose (second (nd/jvp f [(nd/get as 0)] [(nd/get as 1)]))
                     (nd/sum (nd/* ((nd/grad f) (nd/get as 0)) (nd/get as 1)))))))

(deftest factors-outlive-a-change-of-their-matrix
  (let [a (nd/array [[2.0 1.0] [1.0 3.0]] {:requires-grad true})
        expected ((nd/grad #(nd/sum (nd/inv %))) (nd/detach (nd/copy a)))
        y (nd/sum (nd/inv a))]
    (nd/no-grad (nd/fill! a 0.0))
    (nd/backward! y)
    (is (nd/allclose expected (nd/grad-of a)))))

(deftest a-singular-matrix-has-a-determinant
  (let [x [[1.0 2.0] [2.0 4.0]]]
    (is (= 0.0 (nd/item (nd/det x))))
    (is (= [0.0 ##-Inf] (mapv nd/item (nd/slogdet x))))
    (is (every? NaN? (flatten (nd/tolist ((nd/grad nd/det) (nd/array x))))))))

(deftest errors-say-what-is-wrong
  (are [error message f] (thrown-with-msg? error message (f))
    ArgumentException #"^solve: the matrix is singular: equations with it have no solution or many$"
    #(nd/solve [[1.0 2.0] [2.0 4.0]] [1.0 2.0])
    ArgumentException #"^inv: a matrix of the stack is singular" #(nd/inv (nd/zeros [2 3 3]))
    ArgumentException #"^cholesky: matrix 1 of the stack is not positive definite: the 2 rows and columns at its upper left"
    #(nd/cholesky [[[1.0 0.0] [0.0 1.0]] [[1.0 0.0] [2.0 1.0]]])
    ShapeException #"^det: a square matrix is needed, .* got shape \[2, 3\]$" #(nd/det (nd/ones [2 3]))
    ShapeException #"^solve: the right-hand side needs 2 rows.* got shape \[3\]$" #(nd/solve (nd/eye 2) [1 2 3])
    ShapeException #"^solve: .*broadcast" #(nd/solve (nd/ones [3 2 2]) (nd/ones [2 2 2]))))
