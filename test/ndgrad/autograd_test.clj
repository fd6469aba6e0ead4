(ns ndgrad.autograd-test
  "The rules of the tape: what is kept, what is freed, what is refused."
  (:require
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd])
  (:import
   (java.lang.ref WeakReference)
   (ndgrad AnomalyException ArgumentException Autograd DTypeException GraphException MutationException Scope
    ScopeException ShapeException)
   (ndgrad.kernel.memory Arena)))

(defn- leaf [x] (nd/array x {:requires-grad true}))

(defn- thrown [f]
  (try (f) nil (catch Exception e e)))

(deftest gradients-accumulate-in-leaves-only
  (let [x (leaf [1.0 2.0])
        y (nd/* x x)
        z (nd/sum y)]
    (nd/backward! z nil {:retain-graph true})
    (is (= [2.0 4.0] (nd/tolist (nd/grad-of x))))
    (is (nil? (nd/grad-of y)))
    (nd/backward! z)
    (is (= [4.0 8.0] (nd/tolist (nd/grad-of x))))
    (nd/zero-grad! x)
    (is (nil? (nd/grad-of x)))))

(deftest a-freed-graph-is-refused
  (testing "whatever its ops had saved"
    (doseq [f [#(nd/sum (nd/* % %)) #(nd/sum (nd/+ % 1))]]
      (let [x (leaf [1.0 2.0])
            z (f x)]
        (nd/backward! z)
        (let [before (nd/tolist (nd/grad-of x))]
          (is (thrown-with-msg? GraphException #"second time" (nd/backward! z)))
          (is (= before (nd/tolist (nd/grad-of x)))))))))

(deftest upstream-gradients
  (let [x (leaf [1.0 2.0])]
    (is (thrown-with-msg? GraphException #"upstream" (nd/backward! (nd/* x 2))))
    (is (thrown? ShapeException (nd/backward! (nd/* x 2) [1.0 2.0 3.0])))
    (is (thrown-with-msg? GraphException #"nothing that requires" (nd/backward! (nd/ones []))))
    (is (nil? (nd/grad-of x)))
    (nd/backward! (nd/* x 2) [10.0 1.0])
    (is (= [20.0 2.0] (nd/tolist (nd/grad-of x))))))

(deftest retained-gradients
  (let [x (leaf [1.0 2.0])
        y (nd/retain-grad! (nd/* x 3))]
    (nd/backward! (nd/sum (nd/* y y)))
    (is (= [6.0 12.0] (nd/tolist (nd/grad-of y))))
    (is (= [18.0 36.0] (nd/tolist (nd/grad-of x))))
    (is (thrown? GraphException (nd/retain-grad! (nd/ones [2]))))))

(deftest leaves-do-not-share-a-gradient
  (testing "changing one leaf's gradient leaves the other's and the upstream alone"
    (let [a (leaf [1.0 2.0])
          b (leaf [3.0 4.0])
          up (nd/array [1.0 1.0])]
      (nd/backward! (nd/+ a b) up)
      (nd/mul! (nd/grad-of a) 7)
      (is (= [7.0 7.0] (nd/tolist (nd/grad-of a))))
      (is (= [1.0 1.0] (nd/tolist (nd/grad-of b))))
      (is (= [1.0 1.0] (nd/tolist up)))))
  (testing "nor with itself in another layout"
    (let [x (leaf [[1.0 2.0] [3.0 4.0]])]
      (nd/backward! (nd/sum (nd/transpose x)))
      (is (= [16 8] (nd/strides (nd/grad-of x)))))))

(deftest gradients-of-gradients
  (let [x (leaf [2.0])]
    (nd/backward! (nd/sum (nd/* x x x)) nil {:create-graph true})
    (let [g (nd/grad-of x)]
      (is (= [12.0] (nd/tolist g)))
      (is (nd/requires-grad? g))
      (nd/zero-grad! x)
      (nd/backward! (nd/sum g))
      (is (= [12.0] (nd/tolist (nd/grad-of x)))))))

(deftest hooks-see-and-replace
  (let [x (leaf [1.0 2.0])
        seen (atom [])
        off (nd/register-hook! x (fn [g] (swap! seen conj (nd/tolist g)) nil))
        y (nd/* x 2)]
    (nd/register-hook! y (fn [g] (nd/* g 10)))
    (nd/backward! (nd/sum y))
    (is (= [[20.0 20.0]] @seen))
    (is (= [20.0 20.0] (nd/tolist (nd/grad-of x))))
    (off)
    (nd/backward! (nd/sum x))
    (is (= 1 (count @seen)))
    (nd/register-hook! x (fn [_] (nd/ones [3])))
    (let [before (nd/tolist (nd/grad-of x))]
      (is (thrown? ShapeException (nd/backward! (nd/sum x))))
      (is (= before (nd/tolist (nd/grad-of x))) "nothing is written by a pass that fails"))))

(deftest a-hook-that-changes-what-others-share-is-refused
  (let [x (leaf [1.0 2.0])
        w (leaf [1.0 2.0])]
    (nd/register-hook! x (fn [g] (nd/mul! g 10) nil))
    (is (thrown-with-msg? MutationException #"a hook on the output of leaf changed the gradient in place"
                          (nd/backward! (nd/sum (nd/* (nd/+ x w) [3.0 4.0])))))
    (is (nil? (nd/grad-of x)))
    (is (nil? (nd/grad-of w)))))

(deftest mutation-is-named-before-anything-is-written
  (let [x (leaf [1.0 2.0])
        w (leaf [1.0 1.0])
        y (nd/exp x)
        z (nd/sum (nd/+ (nd/* w 3) y))]
    (nd/mul! y 2)
    (let [e (thrown #(nd/backward! z))]
      (is (instance? MutationException e))
      (is (= {:op "exp", :saved-version 0, :version 1, :mutated-by "mul!", :dtype "float64"}
             (select-keys (nd/error-data e) [:op :saved-version :version :mutated-by :dtype])))
      (is (nil? (nd/grad-of w)))
      (is (nil? (nd/grad-of x))))))

(deftest mutating-what-nothing-saved-is-fine
  (let [x (leaf [1.0 2.0])
        c (nd/array [5.0 5.0])
        z (nd/sum (nd/+ x c))]
    (nd/fill! c 0)
    (nd/backward! z)
    (is (= [1.0 1.0] (nd/tolist (nd/grad-of x))))))

(deftest leaf-rules
  (let [x (leaf [1.0 2.0])]
    (testing "an untracked overwrite of a leaf bumps its version and is no part of the graph"
      (nd/set! x [0] 9.0)
      (nd/add! x 1)
      (is (= 2 (nd/version x)))
      (is (nd/leaf? x))
      (nd/backward! (nd/sum (nd/* x x)))
      (is (= [20.0 6.0] (nd/tolist (nd/grad-of x)))))
    (testing "a tracked value cannot be written into it"
      (is (thrown? GraphException (nd/add! x (leaf [1.0 1.0]))))
      (is (thrown? GraphException (nd/set! x [0] (nd/sum x))))
      (is (thrown-with-msg? GraphException #"no-grad" (nd/add! (nd/get x 0) 1))))
    (testing "under no-grad a view of it can be written to"
      (nd/no-grad (nd/add! (nd/get x 0) 1))
      (is (= 11.0 (nd/item (nd/get x 0)))))
    (is (thrown? DTypeException (nd/requires-grad! (nd/arange 3) true)))
    (is (thrown? GraphException (nd/requires-grad! (nd/* x 2) false)))))

(deftest in-place-through-views
  (testing "a leaf without gradient takes a tracked value"
    (let [buffer (nd/zeros [3])
          w (leaf [2.0])]
      (nd/set! buffer [1] (nd/* w 5))
      (is (nd/requires-grad? buffer))
      (nd/backward! (nd/sum (nd/* buffer buffer)))
      (is (= [100.0] (nd/tolist (nd/grad-of w))))))
  (testing "a view made before sees the change in the graph too"
    (let [x (leaf [1.0 2.0 3.0])
          y (nd/* x 2)
          v (nd/get y (nd/slice 0 2))]
      (nd/mul! y 10)
      (nd/backward! (nd/sum v))
      (is (= [20.0 20.0 0.0] (nd/tolist (nd/grad-of x))))))
  (testing "the base sees the change of a view of a view"
    (let [x (leaf [[1.0 2.0] [3.0 4.0]])
          y (nd/* x 1)]
      (nd/mul! (nd/get (nd/transpose y) 0) 5)
      (nd/backward! (nd/sum y))
      (is (= [[5.0 1.0] [5.0 1.0]] (nd/tolist (nd/grad-of x)))))))

(deftest broadcast-views-are-read-only
  (let [x (nd/zeros [1])
        b (nd/broadcast-to x [3 3])]
    (doseq [v [b (nd/get b 0) (nd/get b 0 0) (nd/detach b) (nd/transpose b)]]
      (is (thrown-with-msg? ArgumentException #"broadcast view" (nd/add! v 1)))
      (is (thrown? ArgumentException (nd/set! v [:ellipsis] 1))))
    (is (zero? (nd/version x)))))

(deftest grad-mode-is-confined-to-the-thread
  (let [x (leaf [1.0])]
    (nd/no-grad
     (is (not (nd/requires-grad? (nd/* x 2))))
     (is (nd/requires-grad? (nd/enable-grad (nd/* x 2))))
     (is @(future (nd/requires-grad? (nd/* x 2)))))
    (is (nd/requires-grad? (nd/* x 2)))
    (is (thrown? ArithmeticException (nd/no-grad (throw (ArithmeticException.)))))
    (is (nd/grad-enabled?))))

(deftest detached-arrays-share-the-version
  (let [x (leaf [1.0 2.0])
        y (nd/* x x)
        d (nd/detach x)]
    (nd/fill! d 0)
    (is (= 1 (nd/version x)))
    (is (thrown? MutationException (nd/backward! (nd/sum y))))))

(deftest backward-from-several-threads
  (let [x (leaf [1.0 2.0])
        n 200
        passes (doall (repeatedly n #(future (nd/backward! (nd/sum (nd/* x 3))))))]
    (run! deref passes)
    (is (= [(* 3.0 n) (* 3.0 n)] (nd/tolist (nd/grad-of x))))))

(deftest an-interrupt-cancels-backward
  (let [x (leaf [1.0])
        y (nd/sum (nd/* x x))
        e @(future (.interrupt (Thread/currentThread))
                   (let [e (thrown #(nd/backward! y))]
                     (Thread/interrupted)
                     e))]
    (is (instance? GraphException e))
    (is (str/includes? (ex-message e) "interrupt"))
    (is (nil? (nd/grad-of x)))))

(deftest long-chains-and-wide-fans
  (let [x (leaf [1.0])]
    (nd/backward! (nd/sum (loop [y x, i 0] (if (< i 200000) (recur (nd/+ y 1) (inc i)) y))))
    (is (= [1.0] (nd/tolist (nd/grad-of x))))
    (nd/zero-grad! x)
    (nd/backward! (nd/sum (reduce nd/+ (repeatedly 50000 #(nd/* x 2)))))
    (is (= [100000.0] (nd/tolist (nd/grad-of x))))))

(deftest saved-values-are-let-go-as-backward-passes-them
  (let [n 12
        alive (atom [])
        x (leaf (vec (repeat 1000 0.001)))
        refs (atom [])
        y (loop [y x, i 0]
            (if (< i n)
              (let [z (nd/exp y)]
                (swap! refs conj (WeakReference. (nd/data z)))
                (recur z (inc i)))
              y))
        loss (nd/sum y)]
    (nd/register-hook! x (fn [_]
                           (System/gc)
                           (reset! alive (count (keep #(.get ^WeakReference %) @refs)))
                           nil))
    (nd/backward! loss)
    (testing "when the leaf is reached the outputs that exp had saved are gone, but for the last, which y holds"
      (is (<= @alive 1)))
    (is (nd/array? y))))

(deftest anomaly-mode-names-the-first-culprit
  (testing "forward"
    (let [e (thrown #(nd/detect-anomaly (nd/log (nd/sub (nd/ones [2 3]) 2))))]
      (is (instance? AnomalyException e))
      (is (= {:op "log", :pass "forward", :shapes [[2 3]]} (select-keys (nd/error-data e) [:op :pass :shapes])))
      (is (str/includes? (:site (nd/error-data e)) "autograd_test.clj"))
      (is (str/includes? (ex-message e) "[2, 3]"))))
  (testing "backward"
    (let [e (thrown #(nd/detect-anomaly (nd/backward! (nd/sum (nd/sqrt (leaf [0.0 1.0]))))))]
      (is (= {:op "sqrt", :pass "backward", :input 0} (select-keys (nd/error-data e) [:op :pass :input])))))
  (testing "in place, before it is written"
    (doseq [[op f x] [["div!" #(nd/div! % 0) 1.0] ["log!" nd/log! 0.0] ["exp!" nd/exp! 1000.0]]
            :let [x (nd/array [x]), before (nd/tolist x)]]
      (is (= op (:op (nd/error-data (thrown #(nd/detect-anomaly (dotimes [_ 2] (f x))))))))
      (is (= before (nd/tolist x)))))
  (testing "what was not finite before is nobody's fault"
    (is (= ##Inf (nd/item (nd/detect-anomaly (nd/exp (nd/array ##Inf)))))))
  (testing "a mutation error names both places"
    (let [e (thrown #(nd/detect-anomaly
                      (let [y (nd/exp (leaf [1.0]))
                            z (nd/sum y)]
                        (nd/add! y 1)
                        (nd/backward! z))))]
      (is (every? #(str/includes? % "autograd_test.clj") (vals (select-keys (nd/error-data e) [:saved-at :mutated-at]))))))
  (testing "it is off outside"
    (is (Double/isNaN (nd/item (nd/log -1.0))))))

(deftest a-pass-that-fails-leaves-no-frame-open
  (let [depth #(let [arena (Arena/current) frame (.enter arena)] (.abandon arena frame) frame)
        x (leaf [1.0 2.0])
        bad (nd/custom-vjp nd/sum (fn [_ _ _] (throw (ArithmeticException.))))
        mutated #(let [y (nd/exp x)] (nd/register-hook! y (fn [_] (nd/mul! y 2.0) nil)) (nd/sum y))
        before (depth)]
    (doseq [options [{} {:create-graph true}]]
      (testing options
        (is (thrown? ArithmeticException (nd/backward! (bad (nd/* x 2.0)) nil options)))
        (is (thrown? MutationException (nd/backward! (mutated) nil options)))
        (is (thrown? AnomalyException
                     (let [y (nd/sum (nd/sqrt (nd/* x 0.0)))] (nd/detect-anomaly (nd/backward! y nil options)))))
        (is (= before (depth)))
        (testing "also when a hook closes the scope around it"
          (let [scope (Scope/open)
                y (nd/* x 2.0)]
            (nd/register-hook! y (fn [_] (.close scope) nil))
            (is (thrown? ScopeException (nd/backward! (nd/sum y) nil options)))
            (is (= before (depth)))))))))

(deftest several-outputs-at-once
  (let [x (leaf [1.0 2.0])
        y (nd/* x 3)]
    (nd/backward! [(nd/sum x) y] [nil [10.0 1.0]])
    (is (= [31.0 4.0] (nd/tolist (nd/grad-of x))))
    (is (thrown? ArgumentException (nd/backward! [y y] [nil]))))
  (let [x (leaf [1.0 2.0])
        y (nd/sum x)
        z (nd/sum (nd/* x x))]
    (Autograd/backward [y z] [] false false)
    (is (= [3.0 5.0] (nd/tolist (nd/grad-of x)))))
  (testing "unused inputs are empty"
    (let [x (leaf [1.0])
          w (leaf [1.0])
          [gx gw] (Autograd/gradients [(nd/sum x)] [] [x w] false false)]
      (is (.isPresent ^java.util.Optional gx))
      (is (not (.isPresent ^java.util.Optional gw)))
      (is (nil? (nd/grad-of x))))))

(deftest tracked-arrays-in-nested-vectors
  (testing "as an operand they keep their history"
    (let [a (leaf 2.0)
          b (leaf 3.0)]
      (nd/backward! (nd/sum (nd/* [[a 1] [b a]] [[1.0 2.0] [3.0 4.0]])))
      (is (= [5.0 3.0] (map (comp nd/item nd/grad-of) [a b])))))
  (testing "a fresh array would lose it"
    (is (thrown-with-msg? ArgumentException #"would be lost" (nd/array [(leaf 1.0) 2.0]))))
  (testing "in a transform"
    (is (= [6.0 0.0] (mapv nd/item (nd/hvp #(nd/sum (nd/* % % %)) [1.0 2.0] [1.0 0.0]))))))

(deftest several-passes-at-one-time-through-one-graph
  (let [x (leaf (mapv double (range 40)))
        shared (reduce (fn [y _] (nd/sin (nd/* 1.5 y))) x (range 60))
        by-x #(let [[g] (Autograd/gradients [(nd/sum (nd/* (double %) shared))] [] [x] true false)]
                (nd/tolist (.get ^java.util.Optional g)))
        expected (mapv by-x (range 8))]
    (testing "in several threads"
      (dotimes [_ 5]
        (is (= expected (mapv deref (mapv #(future (by-x %)) (range 8)))))))
    (testing "one inside another"
      (let [seen (atom nil)
            off (nd/register-hook! shared (fn [_]
                                            (when (compare-and-set! seen nil :under-way)
                                              (reset! seen (nd/enable-grad (by-x 2))))
                                            nil))]
        (nd/backward! (nd/sum shared) nil {:retain-graph true})
        (off)
        (is (= (expected 2) @seen))
        (is (= (expected 1) (nd/tolist (nd/grad-of x))))))))
