(ns ndgrad.overhead-test
  "What a call costs beside its elements, counted in bytes that are allocated: on small arrays that is all there is."
  (:require
   [clojure.test :refer [deftest is]]
   [ndgrad.core :as nd])
  (:import
   (com.sun.management ThreadMXBean)
   (java.lang.management ManagementFactory)))

(set! *warn-on-reflection* true)

(defn- bytes-of
  "Bytes that a call of `f` allocates on this thread, once kernels and classes are there. The least of several runs, and of
  more, for some seconds, until one is below `bound`: the JIT may be compiling a kernel of vectors anew, each of which is an
  object meanwhile."
  [f bound]
  (let [^ThreadMXBean bean (ManagementFactory/getThreadMXBean)
        run #(let [before (.getCurrentThreadAllocatedBytes bean)]
               (dotimes [_ 100] (f))
               (quot (- (.getCurrentThreadAllocatedBytes bean) before) 100))
        end (+ (System/nanoTime) 5000000000)]
    (loop [least (apply min (repeatedly 10 run))]
      (if (or (< least bound) (< end (System/nanoTime)))
        least
        (recur (min least (run)))))))

(defn- matrix [] (nd/reshape (nd/array (mapv double (range 16))) [4 4]))
(defn- leaf [x] (nd/requires-grad! (nd/copy x) true))

(deftest the-bytes-of-an-op-on-16-elements
  ;; The elements are 144 bytes of most results.
  (let [a (matrix) b (matrix) row (nd/get b 0) bias (nd/copy row) x (leaf a) condition (nd/> a 3)]
    (doseq [[what bound f] [["one array" 700 #(nd/exp a)]
                            ["two arrays" 600 #(nd/+ a b)]
                            ["an array and a number" 700 #(nd/* a 2.0)]
                            ["three arrays" 750 #(nd/where condition a b)]
                            ["in place" 600 #(nd/add! a b)]
                            ["in place, with a number" 750 #(nd/mul! a 1.0)]
                            ["broadcasting" 1000 #(nd/+ a row)]
                            ["broadcasting a fresh array" 600 #(nd/+ a bias)]
                            ["a view" 1000 #(nd/exp row)]
                            ["views that begin elsewhere" 1500 #(nd/+ (nd/get a 1) (nd/get b 2))]
                            ["a reduction with an option" 600 #(nd/sum a {:axis 1})]
                            ["a reduction with a keyword argument" 900 #(nd/sum a :axis 1)]
                            ["reductions over two axes in turn" 1300 #(do (nd/sum a {:axis 0}) (nd/sum a {:axis 1}))]
                            ["a scan" 1500 #(nd/cumsum a 1)]
                            ["passes over rows" 2000 #(nd/softmax a)]
                            ["a list of arrays" 1400 #(nd/stack [a b])]
                            ["recorded, nothing saved" 650 #(nd/+ x b)]
                            ["recorded, an input saved" 750 #(nd/* x b)]]]
      (is (< 144 (bytes-of f bound) bound) what))
    (is (< (bytes-of #(nd/get a 1) 700) 700) "a view by an integer")
    (is (< (bytes-of #(nd/get a :all (nd/slice 1 3)) 1200) 1200) "a view by a slice")))

(deftest the-bytes-of-a-backward-pass
  (let [a (matrix) x (leaf a) up (matrix)
        pass (fn [n] (fn []
                       (nd/backward! (loop [y x i 0] (if (< i n) (recur (nd/+ (nd/* y a) x) (inc i)) y)) up)
                       (nd/zero-grad! x)))
        one (bytes-of (pass 1) 4000)
        many (bytes-of (pass 51) (+ one (* 50 2400)))]
    (is (< one 4000) "the whole of a short one")
    (is (< (quot (- many one) 50) 2400) "forward and backward, of two more ops")))
