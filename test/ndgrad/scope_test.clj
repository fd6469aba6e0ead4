(ns ndgrad.scope-test
  (:require
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.optim :as optim]
   [ndgrad.random :as r])
  (:import
   (com.sun.management ThreadMXBean)
   (java.lang.management ManagementFactory)
   (java.lang.ref WeakReference)
   (ndgrad Memory Scope ScopeException)))

(set! *warn-on-reflection* true)

(def ^:private big [40 50])

(defn- usable? [x] (try (nd/item (nd/sum x)) true (catch ScopeException _ false)))
(defn- hits [] (.hits (Memory/kept)))

(defrecord Pair [left right])

(deftest what-leaves-a-scope
  (doseq [shape [big [2 3]]]
    (testing "the result, in any nesting"
      (let [seen (volatile! nil)
            {:keys [a b c d e]} (nd/with-scope
                                  (vreset! seen (nd/ones shape))
                                  {:a (nd/ones shape)
                                   :b [(nd/ones shape) {:x (nd/zeros shape)}]
                                   :c (->Pair (nd/ones shape) nil)
                                   :d #{(nd/ones shape)}
                                   :e (map #(nd/full shape %) [1 2])})]
        (is (every? usable? [a (first b) (:x (second b)) (:left c) (first d) (first e) (second e)]))
        (is (not (usable? @seen)))
        (is (= shape (nd/shape @seen)) "the shape can still be asked for")
        (is (= :float64 (nd/dtype @seen)))))
    (testing "the result, also as keys, in Java's collections, and beside what is none"
      (let [[m j _] (nd/with-scope
                      [{(nd/ones shape) {[(nd/ones shape)] 1}} (doto (java.util.HashMap.) (.put (nd/ones shape) 1))
                       (.toPath (java.io.File. "a/b"))])
            [[x inner]] (seq m)]
        (is (every? usable? [x (ffirst (keys inner)) (first (keys j))]))))
    (testing "what is kept"
      (let [seen (atom nil)]
        (nd/with-scope (reset! seen (nd/keep! [(nd/ones shape)])) nil)
        (is (usable? (first @seen)))))
    (testing "user's memory"
      (let [mine (double-array (reduce * shape))
            [x y] (let [seen (volatile! nil)]
                    (nd/with-scope (vreset! seen [(nd/wrap mine shape) (nd/ones shape)])
                      (nd/data (second @seen))
                      nil)
                    @seen)]
        (is (usable? x))
        (is (usable? y))))
    (testing "memory that was given to users"
      (let [x (nd/with-scope (nd/->array (nd/ones shape)))]
        (nd/with-scope (nd/full shape 7.0) nil)
        (is (every? #(= 1.0 %) x))))))

(deftest what-leaves-a-scope-by-its-graph
  (doseq [shape [big [2 3]]]
    (testing "gradients of arrays made outside"
      (let [w (nd/requires-grad! (nd/ones shape) true)]
        (nd/with-scope (nd/backward! (nd/sum (nd/* w w))) nil)
        (is (nd/allclose 2.0 (nd/grad-of w)))
        (nd/with-scope (nd/backward! (nd/sum (nd/* w w))) nil)
        (is (nd/allclose 4.0 (nd/grad-of w)))))
    (testing "what a tracked result needs"
      (let [w (nd/requires-grad! (nd/ones shape) true)
            y (nd/with-scope (nd/sum (nd/exp (nd/sin (nd/* 2 w)))))]
        (nd/backward! y)
        (is (nd/allclose (* 2 (Math/cos 2) (Math/exp (Math/sin 2))) (nd/grad-of w)))))
    (testing "gradients that a later pass adds to"
      (doseq [kind [#(nd/requires-grad! (nd/ones shape) true)
                    #(nd/retain-grad! (nd/* 1.0 (nd/requires-grad! (nd/ones shape) true)))]]
        (let [w (nd/requires-grad! (nd/ones shape) true)
              y (nd/with-scope (let [x (kind)]
                                 (nd/backward! (nd/sum (nd/* x x)) nil {:retain-graph true})
                                 (nd/sum (nd/+ (nd/* w 2.0) (nd/* x 3.0)))))]
          (nd/backward! y)
          (is (nd/allclose 2.0 (nd/grad-of w))))))
    (testing "what outside arrays were overwritten with"
      (let [w (nd/requires-grad! (nd/ones shape) true)
            z (nd/zeros shape)]
        (nd/with-scope (nd/set! z [0] (nd/get (nd/exp (nd/* 3 w)) 1)) nil)
        (nd/backward! (nd/sum z))
        (is (nd/allclose (* 3 (Math/exp 3)) (nd/get (nd/grad-of w) 1)))))))

(deftest use-after-return
  (doseq [shape [big [2 3]]
          use [nd/tolist #(nd/+ % 1) #(nd/get % 0 0) #(nd/add! % 1) nd/sum #(nd/item (nd/get % 0 0)) nd/data nd/->array
               #(nd/set! % [0] 1.0) nd/copy nd/array]]
    (let [seen (volatile! nil)
          view (volatile! nil)]
      (nd/with-scope (vreset! view (nd/T (vreset! seen (nd/ones shape)))) nil)
      (doseq [x [@seen @view]]
        (let [e (is (thrown-with-msg? ScopeException #"scope" (use x)))]
          (is (= "float64" (:dtype (nd/error-data e))))))))
  (testing "backward through a graph that saved it"
    (let [w (nd/requires-grad! (nd/ones big) true)
          seen (volatile! nil)]
      (nd/with-scope (vreset! seen (nd/sum (nd/exp w))) nil)
      (is (thrown? ScopeException (nd/backward! @seen)))
      (is (nil? (nd/grad-of w)))))
  (testing "a gradient that is to be added to: no other is written"
    (let [w (nd/requires-grad! (nd/ones big) true)
          w2 (nd/requires-grad! (nd/ones big) true)
          seen (volatile! nil)]
      (nd/with-scope
        (let [x (nd/requires-grad! (nd/ones big) true)]
          (nd/backward! (nd/sum (nd/* x x)))
          (vreset! seen (nd/sum (nd/+ (nd/+ (nd/* w2 5.0) (nd/* x 3.0)) (nd/* w 2.0)))))
        nil)
      (is (thrown? ScopeException (nd/backward! @seen (nd/ones []))))
      (is (= [nil nil] (map nd/grad-of [w w2]))))))

(deftest nesting
  (let [seen (volatile! nil)
        out (nd/with-scope
              (vreset! seen (nd/with-scope (nd/ones big)))
              (is (usable? @seen))
              (nd/with-scope (nd/* @seen 2)))]
    (is (not (usable? @seen)))
    (is (usable? out)))
  (testing "a gradient of an inner array belongs to the scope of that array"
    (let [grads (volatile! nil)]
      (nd/with-scope
        (let [w (nd/requires-grad! (nd/ones big) true)]
          (nd/with-scope (nd/backward! (nd/sum (nd/* w w))) nil)
          (is (nd/allclose 2.0 (vreset! grads (nd/grad-of w)))))
        nil)
      (is (not (usable? @grads))))))

(deftest arrays-with-gradients-are-garbage-before-the-scopes-end
  (doseq [[what around] {"in the scope" #(%) "in a scope inside" #(nd/with-scope (%) nil)}]
    (testing what
      (nd/with-scope
        (let [seen (volatile! nil)
              collected? #(do (System/gc) (nil? (.get ^WeakReference @seen)))]
          (around #(let [x (nd/requires-grad! (nd/ones big) true)
                         y (nd/* 2 x)]
                     (nd/mul! y x)
                     (nd/backward! (nd/sum y))
                     (vreset! seen (WeakReference. x))))
          (is (some true? (repeatedly 20 collected?))))
        nil))))

(deftest closing
  (testing "by an exception"
    (let [seen (volatile! nil)]
      (is (thrown? ArithmeticException
                   (nd/with-scope (vreset! seen (nd/ones big)) (throw (ArithmeticException.)))))
      (is (not (usable? @seen)))))
  (testing "other threads' arrays are theirs"
    (let [x (volatile! nil)]
      (nd/with-scope @(future (vreset! x (nd/ones big))) nil)
      (is (usable? @x))))
  (testing "on its own thread only"
    (let [s (Scope/open)]
      (is (thrown? ScopeException (try @(future (.close s))
                                       (catch java.util.concurrent.ExecutionException e (throw (.getCause e))))))
      (.close s)
      (.close s)))
  (testing "an outer scope closes those inside"
    (let [outer (Scope/open)
          inner (Scope/open)
          x (nd/ones big)]
      (.close outer)
      (is (not (usable? x)))
      (.close inner)
      (is (usable? (nd/ones big)))))
  (testing "an outer scope keeps what those inside would have kept"
    (let [w (nd/requires-grad! (nd/ones big) true)
          outer (Scope/open)]
      (Scope/open)
      (nd/backward! (nd/sum (nd/* w w)))
      (.close outer)
      (is (nd/allclose 2.0 (nd/grad-of w))))))

(deftest plans-of-fused-functions-outlive-the-scope-of-their-first-call
  (let [f (nd/fuse (fn [x] (let [c (nd/exp (nd/ones big))] (nd/sum (nd/* x (nd/sin (nd/+ x c)))))))
        x (nd/ones big)
        value (* 2000 (Math/sin (+ 1 Math/E)))]
    (dotimes [_ 2]
      (is (nd/allclose value (nd/with-scope (f x))))
      (nd/with-scope (nd/full big 7.0) nil))
    (is (nd/allclose value (f x)))))

(deftest transforms-in-scopes
  (let [x (nd/reshape (nd/arange 1.0 2001.0) big)
        expected (nd/copy (nd/* 3 (nd/square x)))
        cube #(nd/pow % 3)]
    (doseq [[transform f] {:grad #((nd/grad (fn [v] (nd/sum (cube v)))) x)
                           :value-and-grad #(second ((nd/value-and-grad (fn [v] (nd/with-scope (nd/sum (cube v))))) x))
                           :checkpoint #((nd/grad (fn [v] (nd/sum ((nd/checkpoint cube) v)))) x)
                           :checkpoint-in-scope #((nd/grad (fn [v] (nd/with-scope (nd/sum ((nd/checkpoint cube) v))))) x)
                           :jvp #(second (nd/jvp cube [x] [(nd/ones big)]))
                           :jvp-inside #(second (nd/jvp (fn [v] (nd/with-scope (cube v))) [x] [(nd/ones big)]))
                           :vmap #((nd/vmap (nd/grad (fn [v] (nd/with-scope (nd/sum (cube v)))))) x)
                           :custom #((nd/grad (fn [v] (nd/sum ((nd/custom-vjp cube (fn [[v] _ g] [(nd/* g 3 (nd/square v))])) v)))) x)
                           :second-order #(nd// (nd/hvp (fn [v] (nd/sum (nd/pow v 4))) x (nd/ones big)) 4)}]
      (is (nd/allclose expected (nd/with-scope (f))) (str transform))
      (is (nd/allclose expected (f)) (str transform " outside")))
    (testing "a graph of gradients that leaves"
      (let [w (nd/requires-grad! (nd/copy x) true)]
        (nd/with-scope (nd/backward! (nd/sum (cube w)) nil {:create-graph true}) nil)
        (let [g (nd/grad-of w)]
          (is (nd/allclose expected g))
          (nd/zero-grad! w)
          (nd/backward! (nd/sum g))
          (is (nd/allclose (nd/* 6 x) (nd/grad-of w))))))
    (testing "functions in a graph that leaves need what they close over"
      (doseq [f [(fn [c] (nd/checkpoint #(nd/* % c)))
                 (fn [c] (nd/custom-vjp #(nd/* 3 %) (fn [_ _ g] [(nd/* g c)])))]]
        (let [run (fn [keep w] (nd/backward! (nd/with-scope (nd/sum ((f (keep (nd/full big 3.0))) w)))))
              w (nd/requires-grad! (nd/copy x) true)]
          (is (thrown? ScopeException (run identity w)))
          (run nd/keep! w)
          (is (nd/allclose 3.0 (nd/grad-of w))))))
    (testing "a pullback that leaves is no result"
      (let [[_ back] (nd/with-scope (nd/vjp #(nd/sin (nd/exp %)) x))]
        (is (thrown? ScopeException (back (nd/ones big))))))))

(defn- bytes-of
  "Bytes that this thread allocates on the heap in one call of `f` at steady state: the least of many calls, some of which
  may come while the JIT compiles a kernel anew and makes an object of each vector."
  [f]
  (let [^ThreadMXBean bean (ManagementFactory/getThreadMXBean)
        once (fn [_]
               (let [before (.getCurrentThreadAllocatedBytes bean)]
                 (f)
                 (- (.getCurrentThreadAllocatedBytes bean) before)))]
    (dotimes [_ 20] (f))
    (apply min (map once (range 200)))))

(deftest printing-leaves-memory-in-use
  (let [reused (fn [look] (nd/with-scope (look (nd/ones [100 100])) nil)
                 (let [before (hits)] (nd/with-scope (nd/ones [100 100]) nil) (- (hits) before)))]
    (is (= 1 (reused identity)))
    (is (= 1 (reused str)))
    (is (= 0 (reused nd/data)) "what a user holds is the user's")))

(deftest ops-in-scopes-allocate-no-elements
  (let [x (nd/ones [500 500] {:dtype :float32})
        row (nd/ones [500] {:dtype :float32})
        w (nd/requires-grad! (nd/ones [500 500] {:dtype :float32}) true)
        elements (nd/nbytes x)]
    (doseq [[op f] {:add #(nd/+ x x)
                    :broadcast #(nd/+ x row row)
                    :exp #(nd/exp x)
                    :sum-of-squares #(nd/sum (nd/* x x))
                    :softmax #(nd/softmax x {:axis -1})
                    :transposed #(nd/copy (nd/T x))
                    :matmul #(nd/matmul x x)
                    :gelu #(nd/gelu x)
                    :backward #(do (nd/zero-grad! w) (nd/backward! (nd/sum (nd/exp (nd/* w x)))))}
            :let [inside (bytes-of #(nd/with-scope (f) nil))]]
      (is (< inside (quot elements 5)) (str op ": " inside " of " elements " bytes an array")))
    (testing "hits of the pool"
      (let [before (hits)]
        (dotimes [_ 10] (nd/with-scope (nd/exp (nd/+ x x)) nil))
        (is (<= 20 (- (hits) before)))))))

(deftest gradients-that-nobody-looked-at-are-recycled
  (let [w (nd/requires-grad! (nd/ones [300 400]) true)
        step #(do (nd/zero-grad! w) (nd/backward! (nd/sum w)))]
    (is (< (bytes-of step) (quot (nd/nbytes w) 5)))
    (testing "but not those somebody has"
      (let [g (nd/grad-of w)]
        (step)
        (nd/backward! (nd/sum (nd/* 3 w)))
        (is (nd/allclose 1.0 g))
        (is (nd/allclose 4.0 (nd/grad-of w)))))))

(deftest a-training-step-allocates-little
  (let [leaf #(nd/requires-grad! % true)
        ws (mapv #(leaf (nd/* 0.05 (r/randn % {:dtype :float32}))) [[784 256] [256 128] [128 10]])
        bs (mapv #(leaf (nd/zeros [%] {:dtype :float32})) [256 128 10])
        x (r/randn [64 784] {:dtype :float32})
        y (r/randint 0 10 [64])
        opt (optim/adam)
        loss (fn [{:keys [ws bs]} x y]
               (let [layer (fn [h w b] (nd/+ (nd/matmul h w) b))
                     h (nd/relu (layer x (ws 0) (bs 0)))
                     h (nd/relu (layer h (ws 1) (bs 1)))]
                 (nd/cross-entropy (layer h (ws 2) (bs 2)) y)))
        params (nd/stop-gradient {:ws ws :bs bs})
        state (atom (optim/init opt params))
        functional #(nd/with-scope
                      (let [[value gradient] ((nd/value-and-grad loss) params x y)]
                        (swap! state (fn [s] (optim/step! opt params gradient s)))
                        (nd/item value)))
        imperative #(nd/with-scope
                      (let [value (loss {:ws ws :bs bs} x y)]
                        (nd/backward! value)
                        (nd/no-grad (doseq [p (concat ws bs)]
                                      (nd/sub! p (nd/* 1e-3 (nd/grad-of p)))
                                      (nd/zero-grad! p)))
                        (nd/item value)))]
    (doseq [[style step] {"functional" functional, "imperative" imperative}
            :let [first-loss (step)
                  bytes (bytes-of step)
                  parameters (reduce + (map nd/nbytes (concat ws bs)))]]
      ;; one set of gradients that is not recycled has as many bytes; the rest is the tape's, and depends on the JIT
      (is (< bytes (quot (* 3 parameters) 4)) (str style ": " bytes " bytes a step"))
      (is (< (step) first-loss) style))))
