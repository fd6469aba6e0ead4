(ns ndgrad.optim-test
  (:require
   [clojure.edn :as edn]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.optim :as optim])
  (:import
   (com.sun.management ThreadMXBean)
   (java.lang.management ManagementFactory)
   (java.util List)
   (ndgrad ArgumentException Array DTypeException GraphException MutationException ShapeException)
   (ndgrad.optim AdamW Optimizer Rule Sgd)))

(set! *warn-on-reflection* true)

(def ^:private cases (edn/read-string (slurp "test/ndgrad/optim/expected.edn")))

(defn- optimizer [{:keys [optimizer options]}]
  (({:sgd optim/sgd :adam optim/adam :adamw optim/adamw} optimizer) options))

(defn- close? [tolerance expected actual]
  (let [pairs (map vector (flatten expected) (flatten actual))]
    (and (= (count (flatten expected)) (count (flatten actual)))
         (every? (fn [[e a]] (<= (abs (- (double e) (double a))) (double tolerance))) pairs))))

(defn- nested
  "Parameters and gradients in a tree, beside a leaf that is no array."
  [w dtype]
  {:layers [{:w (nd/array w {:dtype dtype})}] :name "net"})

(def ^:private w-of (comp nd/tolist :w first :layers))

(deftest steps-are-pytorchs
  (is (< 5 (count cases)))
  (doseq [{:keys [params grads after] :as c} cases
          [dtype tolerance] {:float64 1e-14, :float32 1e-6}
          :let [opt (optimizer c)
                start (nested params dtype)
                grads (map #(nested % dtype) grads)]]
    (testing (str (:optimizer c) (:options c) dtype)
      (testing "new arrays"
        (let [states (reductions (fn [[p s] g] (optim/step opt p g s))
                                 [start (optim/init opt start)] grads)]
          (is (every? true? (map (fn [e [p _]] (close? tolerance e (w-of p))) after (rest states))))
          (is (close? tolerance params (w-of start)))
          (is (= (count grads) (:step (second (last states)))))))
      (testing "in place"
        (let [state (reduce (fn [s g] (optim/step! opt start g s)) (optim/init opt start) grads)]
          (is (close? tolerance (last after) (w-of start)))
          (is (= "net" (:name start)))
          (is (= (count grads) (:step state))))))))

(deftest a-step-makes-nothing-of-the-parameters-size
  (let [^ThreadMXBean bean (ManagementFactory/getThreadMXBean)
        n 200000]
    (doseq [dtype [:float32 :float64]
            rule [(optim/sgd {:lr 0.1}) (optim/sgd {:lr 0.1 :momentum 0.9}) (optim/adam {:lr 0.1}) (optim/adamw {:lr 0.1})]
            :let [w (nd/ones [n] {:dtype dtype :requires-grad true})
                  opt (Optimizer. rule [w])
                  train! (fn [] (nd/backward! (nd/sum (nd/* w w))))]]
      (train!)
      (.step opt)
      ;; A kernel makes objects of its vectors where the JVM has not compiled it, which takes turns with all others.
      (let [bytes! (fn [] (let [before (.getCurrentThreadAllocatedBytes bean)]
                            (.step opt)
                            (- (.getCurrentThreadAllocatedBytes bean) before)))
            limit (+ (System/nanoTime) 20000000000)]
        (is (loop [] (or (< (bytes!) n) (when (< (System/nanoTime) limit) (recur))))
            (str (.name ^Rule rule) " " dtype))))))

(deftest one-update-is-one-change-of-each-array
  (let [w (nd/array [1.0 2.0] {:requires-grad true})
        opt (optim/adam {:lr 0.1})
        state (optim/init opt [w])
        y (nd/* w w)]
    (optim/step! opt [w] [(nd/ones [2])] state)
    (is (= [1 1 1] (map #(.version ^Array %) [w (first (:m state)) (first (:v state))])))
    (is (nd/requires-grad? w))
    (is (thrown? MutationException (nd/backward! (nd/sum y))))))

(deftest views-are-updated-where-they-are
  (let [base (nd/zeros [3 4])
        opt (optim/sgd {:lr 1.0 :momentum 0.5})
        view (nd/transpose (nd/get base :all (nd/slice 0 4 2)))]
    (optim/step! opt [view] [(nd/array [[1.0 2.0 3.0] [4.0 5.0 6.0]])] (optim/init opt [view]))
    (is (= [[-1.0 0.0 -4.0 0.0] [-2.0 0.0 -5.0 0.0] [-3.0 0.0 -6.0 0.0]] (nd/tolist base)))))

(deftest leaves-without-gradient-stay
  (let [params [(nd/ones [2]) (nd/ones [2])]
        opt (optim/sgd {:lr 0.5})
        [after state] (optim/step opt params [nil (nd/ones [2])] (optim/init opt params))]
    (is (= [[1.0 1.0] [0.5 0.5]] (map nd/tolist after)))
    (is (= {:step 1} state))))

(deftest infinite-parameters-stay-infinite
  (doseq [opt [(optim/sgd {:lr 0.1}) (optim/sgd {:lr 0.1 :momentum 0.9}) (optim/sgd {:lr 0.1 :momentum 0.9 :nesterov true})
               (optim/adam) (optim/adamw)]
          :let [mask (nd/array [##-Inf 0.0 ##Inf])
                grad (nd/array [0.0 1.0 0.0])
                [after] (reduce (fn [[p s] _] (optim/step opt p grad s)) [mask (optim/init opt mask)] (range 3))
                [low moved high] (nd/tolist after)]]
    (testing opt
      (is (= [##-Inf ##Inf] [low high]))
      (is (neg? moved)))))

(deftest new-parameters-require-gradients-as-the-old-ones
  (let [opt (optim/sgd {:lr 0.5})
        params [(nd/array [1.0] {:requires-grad true}) (nd/array [1.0])]
        [after] (optim/step opt params [(nd/ones [1]) (nd/ones [1])] (optim/init opt params))]
    (is (= [true false] (map nd/requires-grad? after)))))

(deftest what-does-not-fit-is-refused
  (let [w (nd/ones [2])
        opt (optim/adam)
        state (optim/init opt [w])]
    (is (thrown? ShapeException (optim/step! opt [w] [(nd/ones [3])] state)))
    (is (thrown? DTypeException (optim/step! opt [w] [(nd/ones [2] {:dtype :float32})] state)))
    (is (thrown? ArgumentException (optim/step! opt [w] [(nd/ones [2]) (nd/ones [2])] state)))
    (is (thrown? DTypeException (optim/init opt [(nd/array [1 2])])))
    (is (thrown? ArgumentException
                 (optim/step! opt [(nd/broadcast-to 1.0 [2])] [(nd/ones [2])] state)))
    (is (thrown? GraphException
                 (let [leaf (nd/array [1.0 2.0] {:requires-grad true})]
                   (optim/step! opt [(nd/* leaf 2)] [(nd/ones [2])] state))))
    (is (= [1.0 1.0] (nd/tolist w)) "a refused step changes nothing"))
  (is (thrown? ArgumentException (optim/sgd {:lr -1.0})))
  (is (thrown? ArgumentException (optim/sgd {})))
  (is (thrown? ArgumentException (optim/sgd {:lr 0.1 :nesterov true})))
  (is (thrown? ArgumentException (optim/adam {:betas [0.9 1.0]})))
  (is (thrown? ArgumentException (optim/adam {:rate 0.1}))))

(deftest parameters-are-found-by-their-place
  (let [in-order (array-map :w (nd/array [1.0 1.0]) :b (nd/array [5.0 5.0]))
        grads (array-map :b (nd/array [0.0 0.0]) :w (nd/array [1.0 1.0]))
        after {:w [0.5 0.5] :b [5.0 5.0]}
        lists #(update-vals % nd/tolist)]
    (testing "whatever the order of the keys in gradients and slots"
      (doseq [opt [(optim/sgd {:lr 0.5}) (optim/sgd {:lr 0.5 :momentum 0.9})]
              :let [params (update-vals in-order nd/copy)
                    state (optim/init opt (array-map :b (:b params) :w (:w params)))
                    [stepped {:keys [step momentum]}] (optim/step opt params grads state)]]
        (is (= after (lists stepped)))
        (is (= 1 step))
        (when momentum
          (is (= {:w [1.0 1.0] :b [0.0 0.0]} (lists momentum))))
        (optim/step! opt params grads state)
        (is (= after (lists params)))))
    (testing "and what has another structure is refused"
      (doseq [grads [[(nd/ones [2]) (nd/ones [2])] {:w (nd/ones [2]) :c (nd/ones [2])} nil (nd/ones [2]) {}]
              step [optim/step optim/step!]
              :let [opt (optim/adam)]]
        (is (thrown-with-msg? ArgumentException #"^step!?: the gradients: expected a map with the keys \[:w :b\], got "
                              (step opt in-order grads (optim/init opt in-order)))))
      (is (thrown-with-msg? ArgumentException #"^step!: expected an Array or nil for each gradient, got 3$"
                            (optim/step! (optim/sgd {:lr 1}) in-order {:w 3 :b nil} {:step 0})))
      (is (= [[1.0 1.0] [5.0 5.0]] (map nd/tolist (vals in-order)))))))

(deftest a-refused-step-writes-nothing
  (let [good #(nd/array [1.0 2.0] {:requires-grad true})]
    (doseq [[error bad] {ShapeException {:grad (nd/ones [3])}
                         DTypeException {:grad (nd/ones [2] {:dtype :float32})}
                         ArgumentException {:param (nd/broadcast-to 1.0 [2])}
                         GraphException {:param (nd/* (good) 2)}}
            :let [{:keys [param grad] :or {param (good), grad (nd/ones [2])}} bad
                  w (good)
                  params {:a w :z param}
                  opt (optim/adam)
                  state (optim/init opt params)]]
      (is (instance? error (try (optim/step! opt params {:a (nd/ones [2]) :z grad} state) (catch Exception e e))))
      (is (= [1.0 2.0] (nd/tolist w)))
      (is (= [0.0 0.0] (nd/tolist (-> state :m :a)))))
    (testing "nor one of the Java optimiser, which does not count it"
      (let [w (good)
            view (nd/requires-grad! (nd/broadcast-to (nd/array 1.0) [2]) true)
            opt (Optimizer. (optim/adam) [w view])]
        (.setGrad ^Array w (nd/ones [2]))
        (.setGrad ^Array view (nd/ones [2]))
        (is (thrown? ArgumentException (.step opt)))
        (is (= [1.0 2.0] (nd/tolist w)))
        (.zeroGrad ^Array view)
        (.step opt)
        (testing "the first step of adam is lr long"
          (is (close? 1e-10 [0.999 1.999] (nd/tolist w))))))
    (testing "nor one whose arrays do not go together"
      (is (thrown-with-msg? ArgumentException #"sgd: there are 1 parameters, but 0 gradients and 1 states"
                            (.applyAll ^Rule (optim/sgd {:lr 1.0}) [(good)] [] [[]] 1))))))

(deftest states-are-those-of-the-optimiser
  (let [w (nd/ones [2])
        adam (optim/adam)
        state (optim/init adam [w])
        step! #(optim/step! %1 [w] [(nd/ones [2])] %2)]
    (doseq [[opt state] [[adam nil] [adam {}] [adam {:step 0}] [adam [0]] [adam (optim/init (optim/sgd {:lr 1}) [w])]
                         [(optim/sgd {:lr 1}) state] [(optim/sgd {:lr 1 :momentum 0.5}) state]]]
      (is (thrown-with-msg? ArgumentException #"^step!: expected a state that `init` made for (adam|sgd), a map with the keys \[:step"
                            (step! opt state))))
    (is (thrown-with-msg? ArgumentException #"^step!: the :step of the state must be a whole number, got 0.5"
                          (step! adam (assoc state :step 0.5))))
    (is (thrown-with-msg? ArgumentException #"^step!: expected a state whose :step is a count, got -1"
                          (step! adam (assoc state :step -1))))
    (is (thrown-with-msg? ArgumentException #"^step!: the slot :m: expected a list of 1, got nil"
                          (step! adam (assoc state :m nil))))
    (is (thrown-with-msg? ArgumentException #"^step!: expected an Array in each slot, got no value"
                          (step! adam (assoc state :m [nil]))))
    (is (thrown-with-msg? ArgumentException #"^step!: expected an optimiser" (step! {:lr 1} state)))
    (is (= [1.0 1.0] (nd/tolist w)))
    (is (= 1 (:step (step! (optim/adamw) (assoc state :step (nd/array 0))))) "adamw goes on from adam, and a step may be loaded from a file")))

(deftest options-are-checked
  (doseq [[message f]
          {#"^adam: expected two numbers for betas, got \[0\.9\]$" #(optim/adam {:betas [0.9]})
           #"^adamw: expected two numbers for betas, got 0\.9$" #(optim/adamw {:betas 0.9})
           #"^adam: the second of betas must be a number, got no value$" #(optim/adam {:betas [0.9 nil]})
           #"^sgd: lr must be a number, got \"x\"$" #(optim/sgd {:lr "x"})
           #"^adamw: lr must be a number, got \"x\"$" #(optim/adamw {:lr "x"})
           #"^sgd: needs the option :lr$" #(optim/sgd nil)
           #"^sgd: nesterov must be true or false, got 1$" #(optim/sgd {:lr 1 :momentum 0.5 :nesterov 1})
           #"^sgd: momentum must not be negative, got -1\.0$" #(optim/sgd {:lr 1 :momentum -1})
           #"^sgd: dampening must not be negative, got -3\.0$" #(optim/sgd {:lr 1 :momentum 0.5 :dampening -3})
           #"^sgd: dampening must not be negative, got NaN$" #(optim/sgd {:lr 1 :momentum 0.5 :dampening ##NaN})
           #"^adam: lr must not be negative, got -1\.0$" #(optim/adam {:lr -1})
           #"^with-lr: lr must be a number, got no value$" #(optim/with-lr (optim/adam) nil)
           #"^with-lr: expected an optimiser .*, got 3$" #(optim/with-lr 3 0.1)
           #"^init: expected an optimiser .*, got no value$" #(optim/init nil [])}]
    (is (thrown-with-msg? ArgumentException message (f))))
  (testing "those that are nil are not given"
    (is (= (optim/adam) (optim/adam {:lr nil :betas nil :eps nil :weight-decay nil})))
    (is (= (optim/sgd {:lr 1}) (optim/sgd {:lr 1.0 :momentum nil :nesterov nil}))))
  (testing "with-lr changes no other"
    (is (= (optim/adamw {:lr 0.5 :eps 1e-6}) (optim/with-lr (optim/adamw {:eps 1e-6}) 0.5)))))

(deftest java-changes-single-numbers
  (is (= (optim/sgd {:lr 0.1 :momentum 0.9 :nesterov true :weight-decay 0.5})
         (.withNesterov (Sgd. 0.1 0.0 0.5 0.5 false) 0.9)))
  (is (= (optim/adamw {:lr 0.1 :betas [0.8 0.9] :eps 1e-6})
         (-> (AdamW/of 0.1) (.withBetas 0.8 0.9) ^AdamW (.withEps 1e-6)))))

(deftest the-java-optimiser-uses-accumulated-gradients
  (let [w (nd/array [1.0 2.0] {:requires-grad true})
        idle (nd/array [3.0] {:requires-grad true})
        opt (Optimizer. (.withMomentum (Sgd/of 0.1) 0.9) [w idle])]
    (dotimes [_ 2]
      (.zeroGrad opt)
      (nd/backward! (nd/sum (nd/* w w)))
      (.step opt))
    (is (close? 1e-15 [0.46 0.92] (nd/tolist w)))
    (is (= [3.0] (nd/tolist idle)))
    (.rule opt (.withLr (.rule opt) 0.0))
    (.step opt)
    (is (close? 1e-15 [0.46 0.92] (nd/tolist w)))
    (is (thrown? ArgumentException (.rule opt (AdamW/of 0.1))))
    (is (= 1 (count ^List (.slots opt 0))))
    (is (= ["momentum"] (.slots ^Rule (.rule opt))))))

(deftest a-quadratic-is-made-small
  (doseq [opt [(optim/sgd {:lr 0.1 :momentum 0.5}) (optim/adam {:lr 0.1})
               (optim/adamw {:lr 0.1})]]
    (let [loss (fn [{:keys [w]}] (nd/sum (nd/pow (nd/- w 3.0) 2)))
          params {:w (nd/zeros [2])}]
      (loop [state (optim/init opt params)]
        (when (< (long (:step state)) 200)
          (recur (optim/step! opt params ((nd/grad loss) params) state))))
      (is (> 1e-2 (.item ^Array (loss params)))))))

(deftest options-as-keyword-arguments
  (is (= (optim/sgd {:lr 0.1 :nesterov true :momentum 0.9}) (optim/sgd :lr 0.1 :nesterov true :momentum 0.9)))
  (is (= (optim/adam) (optim/adam nil) (optim/adam :lr 1e-3)))
  (is (= (optim/adamw {:betas [0.5 0.9]}) (optim/adamw :betas [0.5 0.9])))
  (is (thrown-with-msg? ArgumentException #"^sgd: needs the option :lr" (optim/sgd)))
  (is (thrown-with-msg? ArgumentException #"^adam: expected keyword arguments in pairs" (optim/adam :lr 0.1 :eps))))

(deftest optimisers-print-their-numbers
  (is (= "Sgd[lr=0.1, momentum=0.0, dampening=0.0, weightDecay=0.0, nesterov=false]" (pr-str (optim/sgd :lr 0.1)))))
