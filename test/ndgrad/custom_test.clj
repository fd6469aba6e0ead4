(ns ndgrad.custom-test
  "Functions with rules of their own: in both modes and every order, in batches, over arrays from outside, and errors. What
  they need to leave a scope is tested by ndgrad.scope-test."
  (:require
   [clojure.test :refer [are deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.test-support :refer [close? same-tree?]])
  (:import
   (ndgrad ArgumentException ShapeException)))

(set! *warn-on-reflection* true)

(defn- d1 "The derivative of a function of one number, in reverse." [f] (nd/grad f))
(defn- d2 "The same, forward." [f] (fn [x] (second (nd/jvp f [x] [1.0]))))

(def ^:private v (nd/array [0.3 -0.7 1.1]))

(deftest own-rules
  (let [clipped (nd/custom-vjp nd/sin (fn [[_] _ g] [(nd/clip g -0.1 0.1)]))
        scaled (nd/custom-jvp nd/sin (fn [[x] _ [t]] (nd/* 2.0 (nd/* t (nd/cos x)))))
        both (nd/custom-vjp scaled (fn [[_] _ g] [(nd/* 5.0 g)]))]
    (is (close? (nd/sin v) (clipped v)))
    (is (close? 0.1 ((d1 clipped) 0.5)))
    (testing "each direction from the other's rule"
      (is (close? (* 2 (Math/cos 0.5)) ((d2 scaled) 0.5)))
      (is (close? (* 2 (Math/cos 0.5)) ((d1 scaled) 0.5)))
      (is (close? 3.0 ((d2 (nd/custom-vjp nd/sin (fn [_ _ g] [(nd/* 3.0 g)]))) 0.5))))
    (testing "both in one"
      (is (close? 5.0 ((d1 both) 0.5)))
      (is (close? (* 2 (Math/cos 0.5)) ((d2 both) 0.5))))
    (testing "rules are differentiated in turn"
      (doseq [a [d1 d2]]
        (is (close? (* -2 (Math/sin 0.5)) ((a (d1 scaled)) 0.5)))
        (is (close? (* -2 (Math/sin 0.5)) ((a (d2 scaled)) 0.5)))))
    (testing "in batches, inside and around gradients, and with an argument that all share"
      (let [f (nd/custom-vjp (fn [a x] (nd/sum (nd/* a x))) (fn [[a x] _ g] [(nd/* 2.0 (nd/* g x)) (nd/* 3.0 (nd/* g a))]))
            xs (nd/array [[1.0 2.0 3.0] [4.0 5.0 6.0]])]
        (is (same-tree? [(nd/* 2.0 xs) (nd/stack [(nd/* 3.0 v) (nd/* 3.0 v)])]
                        ((nd/vmap (nd/grad f {:argnums [0 1]}) {:in-axes [nil 0]}) v xs)))
        (is (same-tree? [(nd/* 2.0 (nd/sum xs {:axis 0})) (nd/stack [(nd/* 3.0 v) (nd/* 3.0 v)])]
                        ((nd/grad (fn [a xs] (nd/sum ((nd/vmap f {:in-axes [nil 0]}) a xs))) {:argnums [0 1]}) v xs)))))
    (testing "nested data, nil for nothing, several results"
      (let [f (nd/custom-vjp (fn [{:keys [a b]} k] [(nd/* a b) {:n (nd/+ a k)}])
                             (fn [[{:keys [a]} _] _ [g {:keys [n]}]] [{:a (nd/+ g n) :b nil} nil]))]
        (is (same-tree? {:a (nd/full [3] 5.0) :b (nd/zeros [3])}
                        ((nd/grad (fn [p] (let [[y {:keys [n]}] (f p 2)] (nd/sum (nd/+ (nd/* 2.0 y) (nd/* 3.0 n))))))
                         {:a v :b v})))))
    (testing "nil for nothing, in batches"
      (let [f (nd/custom-vjp (fn [x k] (nd/* x k)) (fn [[_ k] _ g] [(nd/* g k) nil]))
            t (nd/custom-jvp (fn [x] {:y (nd/* x 2.0) :i (nd/array 1)}) (fn [_ _ [t]] {:y (nd/* 2.0 t) :i nil}))]
        (is (same-tree? [(nd/* 2.0 v) (nd/zeros [3])]
                        ((nd/grad (fn [x k] (nd/sum ((nd/vmap f) x k))) {:argnums [0 1]}) v (nd/* 2.0 v))))
        (is (same-tree? [v (nd/array 0.0)]
                        ((nd/grad (fn [k x] (nd/sum (nd/* v ((nd/vmap f {:in-axes [0 nil]}) x k)))) {:argnums [1 0]})
                         (nd/array 1.0) (nd/ones [3]))))
        (is (close? (nd/* 2.0 v) (:y (second (nd/jvp (nd/vmap t) [v] [v])))))))
    (testing "what a rule gives stays its own"
      (let [c (nd/array [5.0 6.0])
            x (nd/array [1.0 2.0] {:requires-grad true})
            f (nd/custom-vjp nd/sum (fn [_ _ _] [c]))]
        (nd/backward! (f x))
        (nd/mul! c 100.0)
        (is (= [5.0 6.0] (nd/tolist (nd/grad-of x))))))))

(deftest stop-gradient
  (is (close? 3.0 ((d1 (fn [x] (nd/* x (nd/stop-gradient x)))) 3.0)))
  (is (close? 3.0 ((d2 (fn [x] (nd/* x (:y (nd/stop-gradient {:y x})))) ) 3.0)))
  (is (close? v ((nd/vmap (d1 (fn [x] (nd/* x (nd/stop-gradient x))))) v))))

;; ---- functions in a batch that use others of its arrays -------------------------------------------

(def ^:private scaling
  "From `w`, which the functions take from outside, to functions of `x`."
  {:checkpoint (fn [w] (nd/checkpoint (fn [x] (nd/* x w))))
   :custom-vjp (fn [w] (nd/custom-vjp (fn [x] (nd/* x w)) (fn [_ _ g] [(nd/* g w)])))
   :custom-jvp (fn [w] (nd/custom-jvp (fn [x] (nd/* x w)) (fn [_ _ [t]] (nd/* t w))))})

(deftest functions-in-batches-close-over-arrays-of-theirs
  (let [w (nd/array [4.0 5.0 6.0])]
    (doseq [[k scaled] scaling]
      (testing k
        (is (close? (nd/* v w) ((nd/vmap (fn [x w] ((scaled w) x))) v w)))
        (is (close? w ((nd/vmap (nd/grad (fn [x w] ((scaled w) x)))) v w)))
        (is (close? w ((nd/grad (fn [x] (nd/sum ((nd/vmap (fn [x w] ((scaled w) x))) x w)))) v)))
        (testing "where all share the argument"
          (is (close? (nd/outer w v) ((nd/vmap (fn [w] ((scaled w) v))) w)))
          (is (close? (nd/full [3] 15.0) ((nd/grad (fn [x] (nd/sum ((nd/vmap (fn [w] ((scaled w) x))) w)))) v))))
        (testing "in a batch of batches"
          (is (close? (nd/outer w (nd/* v w))
                      ((nd/vmap (fn [u] ((nd/vmap (fn [x w] ((scaled (nd/* u w)) x))) v w))) w))))
        (doseq [mode [:forward :reverse]]
          (is (close? (nd/diag w) ((nd/jacobian (fn [x] ((nd/vmap (fn [x w] ((scaled w) x))) x w)) {:mode mode}) v))))))))

(deftest own-rules-take-what-is-closed-over-as-constant
  (let [w (nd/array [4.0 5.0 6.0])]
    (doseq [[k scaled] (dissoc scaling :checkpoint)]
      (testing k
        (doseq [mode [:forward :reverse]]
          (is (close? (nd/zeros [3 3]) ((nd/jacobian (fn [w] ((scaled w) v)) {:mode mode}) w)))
          (is (close? (nd/diag w) ((nd/jacobian (fn [w] ((scaled w) w)) {:mode mode}) w)))
          (is (close? (nd/diag w)
                      ((nd/jacobian (fn [w] ((nd/vmap (fn [x] ((scaled x) x))) w)) {:mode mode}) w))))
        (is (close? (nd/zeros [3]) ((nd/grad (fn [w] (nd/sum ((nd/vmap (fn [x w] ((scaled w) x))) v w)))) w)))))))

(deftest cotangents-of-later-transforms-meet-the-batch-of-a-rule
  (let [w (nd/array [4.0 5.0 6.0])
        us (nd/array [[1.0 2.0 3.0] [0.5 -1.0 2.0]])]
    (doseq [[k scaled] scaling
            :let [[_ pull] (nd/vjp (fn [x] ((nd/vmap (fn [x w] ((scaled w) x))) x w)) v)
                  pulled (fn [u] (first (pull u)))]]
      (testing k
        (is (close? (nd/* us w) ((nd/vmap pulled) us)))
        (is (close? (nd/* (nd/* 2.0 us) (nd/square w)) ((nd/vmap (nd/grad (fn [u] (nd/sum (nd/square (pulled u)))))) us)))
        (is (close? (nd/* us w) (second (nd/jvp (nd/vmap pulled) [us] [us]))))
        (is (close? (nd/* us w) ((nd/vmap (fn [u] (second (nd/jvp pulled [u] [u])))) us)))))))

;; ---- results that share memory with arrays from outside -----------------------------------------

(deftest results-share-no-memory-with-arrays-from-outside
  (doseq [[kind wrap] {"custom-vjp" (fn [f] (nd/custom-vjp f (fn [[x] _ g] [(nd/reshape g (nd/shape x))])))
                       "checkpoint" nd/checkpoint}
          [what f] {"the argument" identity
                    "a view of it" #(nd/reshape % [2 1])}
          :let [a (nd/array [1.0 2.0] {:requires-grad true})]]
    (testing (str kind ": " what)
      (testing "the result is written to"
        (let [x (nd/* a 3.0)
              y ((wrap f) x)]
          (nd/mul! y 2.0)
          (is (= [3.0 6.0] (nd/tolist x)))
          (nd/backward! (nd/sum x))
          (is (= [3.0 3.0] (nd/tolist (nd/grad-of a))))))
      (testing "the argument is"
        (let [x (nd/* a 3.0)
              y ((wrap f) x)
              before (nd/tolist y)]
          (nd/mul! (nd/reshape x [2 1]) 2.0)
          (is (= before (nd/tolist y)))))))
  (testing "another array from outside"
    (let [w (nd/array [5.0 7.0] {:requires-grad true})
          x (nd/array [1.0 2.0] {:requires-grad true})]
      (nd/mul! ((nd/custom-vjp (fn [_] w) (fn [_ _ g] [g])) x) 2.0)
      (nd/mul! ((nd/checkpoint (fn [_] w)) x) 2.0)
      (is (= [5.0 7.0] (nd/tolist w))))))

;; ---- errors -----------------------------------------------------------------------------------

(deftest errors-of-rules
  (are [type pattern form] (thrown-with-msg? type pattern form)
    ArgumentException #"custom-vjp: the gradients: expected a list of 1, got a list of 2"
    ((nd/grad (nd/custom-vjp nd/sum (fn [_ _ g] [g g]))) v)
    ArgumentException #"^custom-vjp: cannot make an array of :a" ((nd/grad (nd/custom-vjp nd/sum (fn [_ _ _] [:a]))) v)
    ArgumentException #"^custom-jvp: cannot make an array of :a" (nd/jvp (nd/custom-jvp nd/sin (fn [_ _ _] :a)) [v] [v])
    ShapeException #"gradient of shape \[\] for argument 0 of shape \[3\]"
    ((nd/grad (nd/custom-vjp nd/sum (fn [_ _ g] [g]))) v)))
