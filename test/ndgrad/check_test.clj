(ns ndgrad.check-test
  "The checks are checked on functions that are wrong on purpose, and the generators on what they promise."
  (:require
   [clojure.test :refer [are deftest is testing]]
   [clojure.test.check :as tc]
   [clojure.test.check.clojure-test :refer [defspec]]
   [clojure.test.check.generators :as gen]
   [clojure.test.check.properties :as prop]
   [ndgrad.check :as check]
   [ndgrad.core :as nd]
   [ndgrad.tree :as tree])
  (:import
   (clojure.lang ExceptionInfo)
   (java.util.function Function)
   (ndgrad ArgumentException DTypeException ShapeException)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; wrong functions

(defn- with-gradient
  "`x` itself, whose gradient is what `f` makes of it: a derivative rule gone wrong."
  [x f]
  (let [y (nd/mul x 1.0)]
    (when (nd/requires-grad? y) (nd/register-hook! y f))
    y))

(defn- wrong-sign [x] (nd/exp (with-gradient x nd/neg)))

(defn- wrong-element
  "The gradient of element [1 2] is 1 % too large."
  [x]
  (nd/sin (with-gradient x #(nd/mul % (nd/setitem (nd/ones-like %) [1 2] 1.01)))))

(defn- missing-sum
  "Adds a row to every row of a matrix, and lets only the first row's gradient through to it."
  [a row]
  (let [rows (nd/broadcast-to row (nd/shape a))]
    (nd/add a (with-gradient rows #(nd/setitem (nd/zeros-like %) [0] (nd/get % 0))))))

(defn- wrong-second
  "Right once, wrong twice: the gradient is a constant where it should be 2x."
  [x]
  (with-gradient (nd/sum (nd/add (nd/sub (nd/square x) (nd/square (nd/detach x)))
                                 (nd/square (nd/detach x))))
    nd/detach))

(defn- only-failure [report]
  (is (false? (:pass? report)))
  (is (= 1 (:failed report)))
  (first (:failures report)))

(deftest a-wrong-sign-is-caught
  (let [r (check/gradcheck wrong-sign [(nd/array [0.0 1.0])])]
    (is (false? (:pass? r)))
    (is (= [4 2] [(:compared r) (:failed r)]))
    (is (= [{:input 0 :element [0] :output-element [0]} {:input 0 :element [1] :output-element [1]}]
           (map #(select-keys % [:input :element :output-element]) (:failures r))))
    (is (= -1.0 (:analytic (first (:failures r)))))
    (is (< (abs (- 1.0 (:numeric (first (:failures r))))) 1e-8))))

(deftest a-factor-in-one-element-is-caught
  (testing "by the full Jacobian"
    (let [f (only-failure (check/gradcheck wrong-element [(nd/ones [3 4])]))]
      (is (= {:kind :gradient :input 0 :element [1 2] :output-element [1 2]}
             (select-keys f [:kind :input :element :output-element])))))
  (testing "by projections, which are narrowed down to it"
    (let [r (check/gradcheck wrong-element [(nd/ones [30 40])] {:projections 2})]
      (is (= :projected (:mode r)))
      (is (= [{:kind :gradient :input 0 :element [1 2] :output-element [1 2]}]
             (map #(select-keys % [:kind :input :element :output-element]) (:failures r)))))))

(deftest a-missing-broadcast-sum-is-caught
  (let [r (check/gradcheck missing-sum [(nd/ones [2 3]) (nd/ones [3])])]
    (is (= #{1} (set (map :input (:failures r)))))
    (is (= [[0] [1] [2]] (map :element (:failures r))))
    (is (= [[1 0] [1 1] [1 2]] (map :output-element (:failures r))))
    (is (= 3 (:failed r)))))

(deftest the-place-in-nested-arguments-is-named
  (let [f (first (:failures (check/gradcheck (fn [k {:keys [w b]}] {:y [(nd/mul w k) (wrong-sign b)]})
                                             [3 {:w (nd/ones [2]) :b (nd/array 0.5)}])))]
    (is (= [1 [:b] [] [:y 1]] ((juxt :input :path :element :output-path) f)))))

(deftest float32-is-refused
  (is (thrown-with-msg? DTypeException #"input 1 is float32.*astype"
                        (check/gradcheck nd/mul [(nd/ones [2]) (nd/ones [2] {:dtype :float32})])))
  (is (thrown-with-msg? DTypeException #"output 0 is float32"
                        (check/gradcheck #(nd/astype % :float32) [(nd/ones [2])]))))

(deftest rounding-is-no-lack-of-determinism
  (let [calls (atom 0)
        f (fn [x] (nd/+ (nd/* x x) (* 1e-15 (mod (swap! calls inc) 2))))]
    (is (:pass? (check/gradcheck f [(nd/array [0.5 2.0])])))
    (is (:pass? (check/purity f [(nd/array [0.5 2.0])])))))

(deftest a-function-that-is-not-deterministic-is-caught
  (let [calls (atom 0)
        f (fn [x] (nd/add x (nd/array [0.0 (double (swap! calls inc))])))]
    (is (= [{:kind :not-deterministic :output-element [1]}]
           (map #(select-keys % [:kind :output-element]) (:failures (check/gradcheck f [(nd/ones [2])])))))
    (is (= [[:not-deterministic [1]]] (map (juxt :kind :element) (:failures (check/purity f [(nd/ones [2])])))))))

(deftest a-function-that-changes-its-input-is-caught
  (let [f (fn [x y] (nd/mul! (nd/get y 1) 2.0) (nd/mul x y))]
    (is (= [[:modifies-input 1 [1]]]
           (map (juxt :kind :input :element) (:failures (check/gradcheck f [(nd/ones [2]) (nd/ones [2])])))))
    (is (= [[:modifies-input 1 [1]]]
           (map (juxt :kind :input :element) (:failures (check/purity f [(nd/ones [2]) (nd/ones [2])]))))))
  (testing "also when it writes what was there"
    (is (= [[:modifies-input 0]]
           (map (juxt :kind :input) (:failures (check/purity #(nd/copy (nd/mul! % 1.0)) [(nd/ones [2])])))))))

(deftest results-without-places-are-refused
  (doseq [check [check/gradcheck check/linearity check/agreement check/batching check/purity]]
    (is (thrown-with-msg? ArgumentException #"the result of the function to check: the members of a set can't be told apart"
                          (check (fn [x] {:y #{(nd/sin x) (nd/cos x)}}) [(nd/ones [2])])))))

(deftest a-wrong-second-derivative-is-caught
  (let [x (nd/array [0.5 1.5])]
    (is (:pass? (check/gradcheck wrong-second [x])))
    (is (false? (:pass? (check/gradgradcheck wrong-second [x]))))))

(deftest a-vjp-that-is-not-linear-is-caught
  (let [r (check/linearity #(with-gradient % nd/square) [(nd/array [0.5 1.5])])]
    (is (false? (:pass? r)))
    (is (= :not-linear (:kind (first (:failures r)))))))

(deftest rules-of-ones-own-are-checked
  (let [cube (fn [factor] (nd/custom-vjp (fn [x] (nd/pow x 3))
                                         (fn [[x] _ g] [(nd/mul g (nd/mul (nd/square x) factor))])))
        x (nd/array [0.5 -1.5])]
    (is (:pass? (check/gradcheck (cube 3.0) [x])))
    (is (:pass? (check/gradgradcheck (cube 3.0) [x])))
    (is (= [[0] [1]] (map :element (:failures (check/gradcheck (cube 2.0) [x])))))))

(deftest forward-mode-that-contradicts-reverse-mode-is-caught
  (let [f (nd/custom-jvp (nd/custom-vjp nd/sin (fn [[x] _ g] [(nd/mul g (nd/cos x))]))
                         (fn [[x] _ [t]] (nd/mul (nd/mul t (nd/cos x)) (nd/array [1.0 1.5]))))
        r (check/agreement f [(nd/array [0.5 1.0])])]
    (is (false? (:pass? r)))
    (is (= [1] (:element (last (:failures r)))))
    (is (:pass? (check/gradcheck f [(nd/array [0.5 1.0])])))))

(deftest a-function-that-looks-at-the-whole-batch-is-caught
  (let [calls (atom 0)
        f (fn [x] (nd/mul x (double (swap! calls inc))))
        r (check/batching f [(nd/array [0.5 1.0])])]
    (is (= {:kind :batching :in-axes [0] :example 0 :element [0]}
           (select-keys (first (:failures r)) [:kind :in-axes :example :element])))))

(deftest results-of-other-forms-are-caught
  (let [x (nd/array [0.5 1.5])
        growing (fn [] (let [calls (atom 0)]
                         (fn [x] (nd/cat (repeat (swap! calls inc) x)))))
        more (fn [] (let [calls (atom 0)]
                      (fn [x] (vec (repeat (swap! calls inc) (nd/sin x))))))]
    (testing "by the checks that compare with differences"
      (doseq [check [check/gradcheck check/gradgradcheck], f [growing more]]
        (is (thrown-with-msg? ShapeException #"returned \[float64\[2\]\] at first and .* when it was called again"
                              (check (f) [x]))))
      (is (thrown-with-msg? ShapeException #"called again"
                            (check/gradcheck (fn [x] (nd/masked-select x (nd/> x 0.5))) [x]))
          "also when it is the values that decide"))
    (testing "by the others"
      (doseq [check [check/agreement check/batching check/purity]
              f [growing more]]
        (is (false? (:pass? (check (f) [x]))))))))

(deftest what-is-not-checked-does-not-pass
  (let [x (nd/array [0.5 1.5])]
    (doseq [[op check] {"gradcheck" check/gradcheck, "gradgradcheck" check/gradgradcheck, "linearity" check/linearity
                        "agreement" check/agreement, "batching" check/batching, "purity" check/purity}
            [pattern f] {#": expected a function that returns an Array or double, or data with some, got 3$" (constantly 3)
                         #": expected a function .* got \"a\"$" (constantly "a")
                         #": expected a function .* got no value$" (constantly nil)
                         #": expected a function, got no value$" nil
                         #": expected a function, got 3$" 3}
            :let [e (is (thrown-with-msg? ArgumentException pattern (check f [x])))]]
      (is (= op (:op (nd/error-data e)))))
    (doseq [check [check/gradcheck check/gradgradcheck check/linearity check/agreement check/batching check/purity]
            inputs [1.0 x nil {:x x}]]
      (is (thrown-with-msg? ArgumentException #"expected a vector of arguments, got " (check nd/sin inputs))))
    (testing "because it has no derivative"
      (doseq [check [check/gradcheck check/gradgradcheck]]
        (is (thrown-with-msg? ArgumentException #"must return a float64 array, got \[int64\[\]\]" (check nd/argmax [x])))
        (is (thrown-with-msg? ArgumentException #"nothing to differentiate" (check nd/sin [3]))))
      (doseq [check [check/linearity check/agreement]]
        (is (thrown-with-msg? ArgumentException #"a floating Array or a double among the results, got \[:int64\]"
                              (check nd/argmax [x])))
        (is (thrown-with-msg? ArgumentException #"among the arguments, got \[\]" (check nd/sin [3])))))
    (is (:pass? (check/purity nd/argmax [x])))
    (is (:pass? (check/gradcheck (reify Function (apply [_ x] (nd/sin x))) [x])))))

(deftest options-are-checked
  (are [pattern form] (thrown-with-msg? ArgumentException pattern form)
    #"^gradcheck: step must be a number, got \"a\"" (check/gradcheck nd/sin [1.0] {:step "a"})
    #"^gradcheck: projections 10000000000 is too large" (check/gradcheck nd/sin [1.0] {:projections 10000000000})
    #"^gradgradcheck: seed must be a whole number, got 0.5" (check/gradgradcheck nd/sin [1.0] {:seed 0.5})
    #"^gradgradcheck: the step and the number of projections must be positive" (check/gradgradcheck nd/sin [1.0] {:step 0})
    #"^linearity-property: expected a vector of generators" (check/linearity-property nd/sin [1.0])
    #"^purity-property: expected a function, got 3" (check/purity-property 3 [(check/array)]))
  (is (:pass? (check/gradcheck nd/sin [1.0] {:rtol nil :step nil}))))

(deftest infinite-gradients-do-not-pass
  (is (false? (:pass? (check/gradcheck nd/sqrt [(nd/array [0.0])])))))

(deftest assertions-throw-the-report
  (is (:pass? (check/assert-gradients nd/mul [(nd/ones [2]) 3.0])))
  (let [e (is (thrown-with-msg? ExceptionInfo #"with respect to input 0 at \[1\]"
                                (check/assert-gradients wrong-sign [(nd/array [0.0 1.0])])))]
    (is (= 2 (:failed (ex-data e))))))

(deftest large-values-do-not-fail-for-rounding-alone
  (is (:pass? (check/gradcheck #(nd/add (nd/mul % 3.0) 1e9) [(nd/array [1e6 -2.0 0.0])])))
  (is (:pass? (check/gradcheck #(nd/square %) [(nd/array [1e8 1.0])]))))

(deftest unused-inputs-and-integers-pass
  (is (:pass? (check/gradcheck (fn [x _ i] (nd/get x i)) [(nd/ones [3]) (nd/ones [2]) (nd/array [0 0 2])])))
  (is (:pass? (check/gradcheck nd/exp [(nd/zeros [0 3])]))))

(deftest failures-shrink-to-readable-ones
  (let [r (tc/quick-check 100 (check/gradient-property wrong-sign [(check/array {:min-dims 1})]) :seed 7)
        [x] (:inputs (:result-data (:shrunk r)))]
    (is (false? (:pass? r)))
    (is (= {:shape [1] :dtype :float64 :strides [8] :elements [0.0]} x))))

;; ---------------------------------------------------------------------------------------------
;; right functions

(defspec multiplication-broadcasts 60
  (check/gradient-property nd/mul (check/arrays 2)))

(defspec maximum-away-from-ties 40
  (check/gradient-property nd/maximum (check/arrays 2 {:distinct true})))

(defspec projections-agree-with-gradients 30
  (check/gradient-property (fn [a b] (nd/matmul (nd/tanh a) b))
                           [(check/array {:shape [3 4]}) (check/array {:shape [4 2]})]
                           {:full-up-to 0}))

(defspec second-derivatives-of-division 20
  (check/second-order-property nd/div (check/arrays 2 [{:max-dims 2} {:low 0.5 :high 3}])))

(defspec pullbacks-are-linear 40
  (check/linearity-property (fn [{:keys [w]} x] [(nd/mul w x) (nd/exp x)])
                            (gen/fmap (fn [[w x]] [{:w w} x]) (check/arrays 2))))

(defspec matmul-is-differentiable 25
  (check/differentiable-property nd/matmul [(check/array {:shape [2 3]}) (check/array {:shape [3 2]})]))

(defspec nested-arguments-are-differentiable 15
  (check/differentiable-property (fn [{:keys [w]} k x] {:y [(nd/mul w x)] :n k :z (nd/sum (nd/get x [0 0]))})
                                 (gen/fmap (fn [[w x]] [{:w w} 3 x]) (check/arrays 2 {:min-dims 1 :min-side 1}))))

(defspec float32-agrees-with-itself 25
  (check/agreement-property (fn [a b] (nd/tanh (nd/mul a b))) (check/arrays 2 {:dtype :float32})))

(defspec sums-are-pure 40
  (check/purity-property nd/sum [(check/array {:dtype check/dtype})]))

;; ---------------------------------------------------------------------------------------------
;; generators

(defspec arrays-broadcast-together 100
  (prop/for-all [xs (check/arrays 3 {:dtype check/floating-dtype})]
    (some? (apply nd/+ xs))))

(defspec arrays-keep-to-their-domain 100
  (prop/for-all [x (check/array {:low -1 :high 2 :kinks [0] :margin 1/2})]
    (every? #(and (<= -1.0 % 2.0) (<= 0.5 (abs (double %))) (= (* 4.0 %) (Math/rint (* 4.0 %))))
            (nd/->array x))))

(defspec distinct-arrays-have-no-ties 50
  (prop/for-all [xs (check/arrays 2 {:distinct true})]
    (apply distinct? ::none (mapcat (comp seq nd/->array) xs))))

(defspec distinct-arrays-of-any-dtype-and-layout-have-no-ties 50
  (prop/for-all [xs (check/arrays 2 {:distinct true :dtype check/dtype :min-side 1 :max-side 1})
                 ys (check/arrays 2 {:distinct true :dtype :float32 :layout :reversed :low 0 :high 1})
                 z (check/array {:distinct true :dtype :int64 :shape [7]})]
    (and (apply distinct? (map nd/item xs))
         (apply distinct? ::none (mapcat (comp seq nd/tolist nd/flatten) ys))
         (= [:float32 :float32] (map nd/dtype ys))
         (= [-3 -2 -1 0 1 2 3] (sort (nd/tolist z))))))

(deftest distinct-arrays-have-all-layouts-that-repeat-nothing
  (is (= [5 5] (for [i [0 1]]
                 (count (into #{} (comp (map #(nth % i))
                                        (filter #(= [2 3] (nd/shape %)))
                                        (map (juxt nd/strides (comp zero? nd/offset))))
                              (gen/sample (check/arrays 2 {:distinct true :shape [2 3]}) 200)))))))

(deftest domains-of-any-size
  (testing "wide ones are cut into larger steps, narrow ones into smaller"
    (doseq [options [{:high 1e12} {:low -1e308 :high 1e308} {:low 1e300 :high 1e300} {:low 0.1 :high 0.2}
                     {:low 0 :high 5e9 :dtype :int32} {:low 16777216.0 :high 16777220.5 :dtype :float32}
                     {:distinct true :low 0 :high 1e6 :dtype :int64 :shape [3000]}]]
      (is (every? #(<= (:low options -3) % (:high options 3))
                  (mapcat #(nd/->array (nd/astype % :float64)) (gen/sample (check/array options) 5))))))
  (testing "a least number of dimensions or a least side may be more than the usual most"
    (is (every? #(every? (fn [side] (= 5 side)) %) (gen/sample (check/shape {:min-side 5}) 20)))
    (is (some seq (gen/sample (check/shape {:min-side 5}) 20)))
    (is (every? #(= 5 (count %)) (gen/sample (check/shape {:min-dims 5}) 20)))))

(deftest generators-refuse-what-they-cannot-keep
  (are [type pattern form] (thrown-with-msg? type pattern form)
    ArgumentException #"^array: expected at least 5 values, found 2 from 0.0 to 1.0 in int64; widen"
    (gen/generate (check/array {:distinct true :dtype :int64 :low 0 :high 1 :shape [5]}))
    ArgumentException #"^array: expected at least 3 values, found 2 .* in bool"
    (gen/generate (check/array {:distinct true :dtype :bool :shape [3]}))
    ArgumentException #"^values: expected at least 1 values, found 0" (check/values {:kinks [0] :margin 4})
    ArgumentException #"^array: expected at least 1 values, found 0"
    (gen/generate (check/array {:low 0.1 :high 0.9 :dtype :int32}))
    ArgumentException #"^array: expected for :layout one of \[.*distinct, got :broadcast"
    (check/array {:distinct true :layout :broadcast})
    ArgumentException #"^shape: expected 0 <= :min-side <= :max-side, got \[5 4\]" (check/shape {:min-side 5 :max-side 4})
    ArgumentException #"^array: expected 0 <= :min-dims" (check/array {:min-dims -1})
    ArgumentException #"^array: min-dims must be an integer, got \"a\"" (check/array {:min-dims "a"})
    ArgumentException #"^array: unknown option :foo; it takes" (check/array {:foo 3})
    ArgumentException #"^array: expected options as a map" (check/array 3)
    ArgumentException #"^array: expected for :layout one of \[.*\], got :foo" (check/array {:layout :foo})
    DTypeException #"^array: unknown dtype" (check/array {:dtype :complex})
    DTypeException #"^array: unknown dtype" (gen/generate (check/array {:dtype (gen/return :complex)}))
    ArgumentException #"^array: expected a shape, .* got \[-1\]" (check/array {:shape [-1]})
    ArgumentException #"^array: shape must be an integer or a list of integers, got :a" (check/array {:shape :a})
    ArgumentException #"^array: expected a vector of numbers for :kinks, got 0" (check/array {:kinks 0})
    ArgumentException #"^array: each of kinks must be a number, got \"a\"" (check/array {:kinks ["a"]})
    ArgumentException #"^array: expected a finite number for low, got -Infinity" (check/array {:low ##-Inf})
    ArgumentException #"^values: expected :low <= :high, got \[2\.0 1\.0\]" (check/values {:low 2 :high 1})
    ArgumentException #"^values: unknown option :dtype" (check/values {:dtype :int32})
    ArgumentException #"^arrays: expected options for each of 2 arrays" (check/arrays 2 [{}])
    ArgumentException #"^arrays: n must be an integer" (check/arrays :a)
    ArgumentException #"^broadcastable: expected how many" (check/broadcastable -1)
    ArgumentException #"^index: unknown option :foo" (check/index [2] {:foo 1})
    ArgumentException #"^index: expected a shape" (check/index [-2])
    ArgumentException #"^tree: expected a generator of leaves, got 3" (check/tree 3))
  (testing "nil is an option that is not given, a number a shape"
    (is (= [[3]] (map nd/shape (gen/sample (check/array {:shape 3 :low nil :layout nil :dtype nil :min-side nil}) 1))))))

(deftest options-are-a-map-or-keyword-arguments
  (let [x [(nd/array [0.5 1.0])]
        wrong (nd/custom-vjp nd/sin (fn [[x] _ g] [(nd/* g (nd/cos x) 1.001)]))
        passes (fn [check] [(:pass? (check wrong x)) (:pass? (check wrong x :rtol 0.1)) (:pass? (check wrong x {:rtol 0.1}))])]
    (is (= [false true true] (passes check/gradcheck)))
    (is (:pass? (check/gradgradcheck nd/sin x :rtol 1e-3)))
    (is (:pass? (check/assert-gradients wrong x :rtol 0.1)))
    (doseq [property [check/gradient-property check/second-order-property check/differentiable-property]]
      (is (:pass? (tc/quick-check 3 (property nd/sin [(check/array :shape [2])] :rtol 1e-3))))))
  (is (= [2 2] (gen/generate (check/shape :min-dims 2 :max-dims 2 :min-side 2 :max-side 2))))
  (is (= [[] []] (gen/generate (check/broadcastable 2 :max-dims 0))))
  (is (= 1.0 (gen/generate (check/values :low 1 :high 1))))
  (is (every? #{[3] [1]} (mapcat (partial map nd/shape) (gen/sample (check/arrays 2 :shape [3] :min-dims 1 :layout :contiguous)))))
  (is (every? vector? (gen/sample (check/index [3 4] :basic true)))))

(defspec indexes-fit 200
  (prop/for-all [[x index] (gen/let [shape (check/shape)
                                     index (check/index shape)]
                             [(nd/zeros shape) index])]
    (nd/array? (apply nd/get x index))))

(defspec trees-hold-what-the-leaves-are 50
  (prop/for-all [t (check/tree (check/array {:max-dims 1}))]
    (every? nd/array? (tree/leaves t))))

(deftest every-layout-comes-up
  (let [xs (gen/sample (check/array {:shape [2 3]}) 100)
        strides (set (map (juxt nd/strides (comp zero? nd/offset)) xs))]
    (is (= #{[[24 8] true] [[24 8] false] [[8 16] true] [[48 16] true] [[-24 -8] false] [[0 8] true]} strides)))
  (is (= #{[] [3] [0]} (set (map nd/shape (mapcat #(gen/sample (check/array {:shape %}) 20) [[] [3] [0]]))))))
