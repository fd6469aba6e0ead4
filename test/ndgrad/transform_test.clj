(ns ndgrad.transform-test
  "Functional transforms: that they compose and never confuse each other, nested data, options and errors. That every op
  takes part in them is tested by ndgrad.op.lifted-test; what checkpoints keep, by ndgrad.checkpoint-test; functions with
  rules of their own, by ndgrad.custom-test."
  (:require
   [clojure.test :refer [are deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.random :as random]
   [ndgrad.test-support :refer [close? same-tree?]])
  (:import
   (java.util ArrayList HashMap)
   (java.util.function Function)
   (ndgrad ArgumentException Array GraphException IndexException ShapeException)))

(set! *warn-on-reflection* true)

(defn- d1 "The derivative of a function of one number, in reverse." [f] (nd/grad f))
(defn- d2 "The same, forward." [f] (fn [x] (second (nd/jvp f [x] [1.0]))))

(def ^:private m (nd/array [[0.5 -1.0 2.0] [1.5 0.25 -0.75]]))
(def ^:private v (nd/array [0.3 -0.7 1.1]))

(defn- leaves [t] (if (instance? Array t) [t] (mapcat leaves (if (map? t) (vals t) t))))

;; ---- perturbation confusion -----------------------------------------------------------------

(deftest nested-derivatives-are-not-confused
  (doseq [outer [d1 d2], inner [d1 d2]]
    (testing "x * d/dy (x + y) is x, so its derivative is 1 (Siskind and Pearlmutter 2005)"
      (is (close? 1.0 ((outer (fn [x] (nd/* x ((inner (fn [y] (nd/+ x y))) 1.0)))) 1.0))))
    (testing "x * d/dy (x y) is x²"
      (is (close? 6.0 ((outer (fn [x] (nd/* x ((inner (fn [y] (nd/* x y))) 2.0)))) 3.0))))
    (testing "the inner function does not see its own variable"
      (is (close? 0.0 ((inner (fn [_] ((outer (fn [x] (nd/* x x))) 3.0))) 1.0))))
    (testing "d/dx (d/dy x y² at y = x) is 4x"
      (is (close? 12.0 ((outer (fn [x] ((inner (fn [y] (nd/* x (nd/* y y)))) x))) 3.0))))))

(deftest functions-that-escape-keep-their-level
  (doseq [outer [d1 d2], inner [d1 d2]]
    (testing "d/dx of a derivative operator applied twice (Manzyuk and others 2019)"
      (let [shift (fn [offset] (fn [g] (fn [a] (g (nd/+ a offset)))))
            derived ((outer (fn [s] (((shift s) ((shift s) nd/exp)) 0.5))) 0.0)]
        (is (close? (* 2 (Math/exp 0.5)) derived)))
      (is (close? (- (Math/sin 1.0)) ((outer (fn [x] ((inner nd/sin) x))) 1.0))))))

(deftest three-orders-in-every-mixture
  (doseq [a [d1 d2], b [d1 d2], c [d1 d2]]
    (is (close? 48.0 ((a (b (c #(nd/pow % 4)))) 2.0)))
    (is (close? (- (Math/cos 0.7)) ((a (b (c nd/sin))) 0.7)))
    (is (close? (* -8 (Math/exp -0.6) 1.0)
                ((a (b (c #(nd/exp (nd/* -2.0 %))))) 0.3)))))

(deftest batches-between-derivatives
  (let [xs (nd/array [0.5 1.0 2.0])]
    (doseq [outer [d1 d2], inner [d1 d2]]
      (testing "a batch of derivatives within a derivative"
        (is (close? (* 2 (+ 0.5 1.0 2.0))
                    ((outer (fn [s] (nd/sum ((nd/vmap (inner (fn [y] (nd/* s (nd/* y y))))) xs)))) 3.0))))
      (testing "derivatives of derivatives in a batch"
        (is (close? (nd/neg (nd/sin xs)) ((nd/vmap (outer (inner nd/sin))) xs))))
      (testing "a batch within a batch, around a derivative"
        (is (close? (nd/* 2.0 (nd/outer xs xs))
                    ((nd/vmap (fn [a] ((nd/vmap (inner (fn [b] (nd/* a (nd/* b b))))) xs))) xs)))))
    (testing "a derivative by what an inner batch shares"
      (is (close? (nd/sum xs) ((d1 (fn [s] (nd/sum ((nd/vmap #(nd/* s %)) xs)))) 2.0)))
      (is (close? xs ((d2 (fn [s] ((nd/vmap #(nd/* s %)) xs))) 2.0))))))

(deftest closed-over-arrays-stay-in-the-graph
  (let [w (nd/array [1.0 2.0 3.0] {:requires-grad true})]
    (testing "a gradient depends on them"
      (nd/backward! (nd/sum ((nd/grad (fn [x] (nd/sum (nd/* w (nd/* x x))))) v)))
      (is (close? (nd/* 2.0 v) (nd/grad-of w))))
    (testing "not under no-grad"
      (is (not (nd/requires-grad? (nd/no-grad ((nd/grad (fn [x] (nd/sum (nd/* w x)))) v))))))
    (testing "without them nothing is recorded, and no leaf gets a gradient"
      (nd/zero-grad! w)
      (is (not (nd/requires-grad? ((nd/grad (fn [x] (nd/sum (nd/* x x)))) v))))
      (is (close? (nd/* 2.0 (nd/detach w)) ((nd/grad (fn [x] (nd/sum (nd/* x x)))) w)))
      (is (nil? (nd/grad-of w))))
    (testing "a tangent depends on them, too"
      (nd/backward! (nd/sum (second (nd/jvp (fn [x] (nd/* w (nd/* x x))) [v] [(nd/ones [3])]))))
      (is (close? (nd/* 2.0 v) (nd/grad-of w))))))

(deftest nothing-is-recorded-where-nothing-outside-is-followed
  (let [free? (fn [t] (not-any? nd/requires-grad? (leaves t)))
        loss (fn [w x] (nd/square (nd/dot w x)))
        xs (nd/ones [5 3])
        batched {:in-axes [nil 0]}]
    (testing "in a batch, also by what the examples share"
      (is (free? ((nd/vmap (nd/grad loss) batched) v xs)))
      (is (free? ((nd/vmap (nd/value-and-grad loss {:argnums [0 1]}) batched) v xs)))
      (is (free? ((nd/vmap (fn [w x] (let [[y pull] (nd/vjp loss w x)] [y (pull (nd/array 1.0))])) batched) v xs)))
      (is (free? ((nd/vmap (nd/vmap (nd/grad loss) batched) batched) v (nd/stack [xs xs])))))
    (testing "forward over reverse"
      (is (free? ((nd/hessian (fn [p q] (nd/sum (nd/* (nd/square p) q))) {:argnums [0 1]}) v v)))
      (is (free? (nd/jvp (fn [p] ((nd/value-and-grad (fn [p q] (nd/sum (nd/* (nd/square p) q))) {:argnums [0 1]}) p v))
                         [v] [v]))))
    (testing "recorded where something is"
      (let [w (nd/array [1.0 2.0 3.0] {:requires-grad true})]
        (is (not (free? ((nd/vmap (nd/grad (fn [x] (loss w x)))) xs))))
        (nd/backward! (nd/sum ((nd/vmap (nd/grad loss) batched) w xs)))
        (is (close? 90.0 (nd/sum (nd/grad-of w))))))))

;; ---- agreement ------------------------------------------------------------------------------

(def ^:private programs
  "Functions of [[2 3] matrix, [3] vector] to nested data."
  {:layer (fn [m v] (nd/tanh (nd/matmul m v)))
   :attention (fn [m v] (nd/matmul (nd/softmax (nd/matmul m (nd/T m))) (nd/* m v)))
   :nested (fn [m v] {:a (nd/sum m {:axis 0}) :b [(nd/max (nd/* m v)) (nd/get m 1 [0 2 2])]})
   :statistics (fn [m v] [(nd/std m {:axis 1}) (nd/logsumexp (nd/* m v) {:axis 0}) (nd/prod v)])
   :joined (fn [m v] (nd/cumsum (nd/cat [m (nd/unsqueeze v 0)]) {:axis 0}))
   :sorted (fn [m v] (nd/sort (nd/* m (nd/exp v)) {:axis 1}))})

(defn- dot [a b] (reduce + (map #(nd/item (nd/sum (nd/* %1 %2))) (leaves a) (leaves b))))

(deftest forward-and-reverse-agree
  (random/manual-seed! 7)
  (doseq [[k f] programs]
    (testing k
      (let [dm (random/randn [2 3]), dv (random/randn [3])
            [y tangent] (nd/jvp f [m v] [dm dv])
            [y2 pullback] (nd/vjp f m v)
            [y3 linear] (nd/linearize f m v)
            u (mapv #(random/randn (nd/shape %)) (leaves y))
            u-tree (let [more (volatile! u)]
                     ((fn walk [t] (cond (instance? Array t) (let [a (first @more)] (vswap! more rest) a)
                                         (map? t) (update-vals t walk)
                                         :else (mapv walk t))) y))
            gs (pullback u-tree)]
        (is (same-tree? y (f m v)))
        (is (same-tree? y y2))
        (is (same-tree? y y3))
        (is (close? (dot u-tree tangent) (dot gs [dm dv])))
        (is (same-tree? tangent (linear dm dv)))
        (is (same-tree? (pullback u-tree) gs) "a pullback can be called again")))))

(deftest what-only-chooses-has-no-derivative
  (let [f (fn [x] (nd/log (nd/where x 0.0 1.0)))
        x (nd/array [1.0 0.0])]
    (is (= [0.0 0.0] (nd/tolist (second (nd/jvp f [x] [(nd/ones [2])])))))
    (is (= [0.0 0.0] (nd/tolist ((nd/grad (comp nd/sum f)) x))))))

(deftest jacobians-agree
  (doseq [[k f] programs, argnums [0 1 [0 1]], chunk [1 4 100]]
    (testing [k argnums chunk]
      (let [forward ((nd/jacobian f {:argnums argnums :mode :forward :chunk-size chunk}) m v)]
        (is (same-tree? forward ((nd/jacobian f {:argnums argnums :mode :reverse :chunk-size chunk}) m v)))
        (is (same-tree? forward ((nd/jacobian f {:argnums argnums}) m v))))))
  (is (= [2 3 2 3] (nd/shape ((nd/jacobian nd/sin) m))))
  (is (close? (nd/array [[0.0 1.0] [1.0 0.0]]) ((nd/jacobian #(nd/flip %)) (nd/array [3.0 4.0]))))
  (is (= [0 3] (nd/shape ((nd/jacobian #(nd/get % (nd/slice 0 0))) v))))
  (is (= [3 0] (nd/shape ((nd/jacobian (fn [x] (nd/+ v (nd/sum x)))) (nd/zeros [0])))))
  (testing "in the dtype of the argument whichever way they are computed, as a gradient is"
    (let [x (nd/ones [2] {:dtype :float32})]
      (doseq [mode [:auto :forward :reverse], f [#(nd/* 2.0 %) #(nd/sum (nd/* v (nd/sum %))) #(nd/* v (nd/sum %))]]
        (is (= :float32 (nd/dtype ((nd/jacobian f {:mode mode}) x)))))
      (let [blocks ((nd/hessian (fn [x y] (nd/sum (nd/* (nd/sum (nd/square x)) (nd/square y)))) {:argnums [0 1]}) x v)]
        (is (= [[:float32 :float64] [:float32 :float64]] (mapv (partial mapv nd/dtype) blocks))))))
  (testing "by no arrays at all"
    (doseq [mode [:auto :forward :reverse]]
      (is (= [{} {}] ((nd/jacobian (fn [_] [v m]) {:mode mode}) {}))))
    (is (= {} ((nd/hessian (fn [_] (nd/array 1.0))) {})))))

(deftest hessians
  (let [f (fn [x] (nd/sum (nd/* (nd/sin x) (nd/cumsum x))))
        h ((nd/hessian f) v)]
    (is (close? h (nd/T h)))
    (is (close? h ((nd/jacobian (nd/jacobian f)) v)))
    (is (close? h ((nd/jacobian (nd/grad f) {:mode :reverse}) v)))
    (is (close? (nd/matmul h (nd/array [1.0 -2.0 0.5])) (nd/hvp f v (nd/array [1.0 -2.0 0.5]))))
    (let [g (fn [{:keys [a b]}] (nd/sum (nd/* (nd/* a a) b)))
          blocks ((nd/hessian g) {:a v :b (nd/array [2.0])})]
      (is (= [3 3] (nd/shape (get-in blocks [:a :a]))))
      (is (= [3 1] (nd/shape (get-in blocks [:a :b]))))
      (is (close? (nd/* 2.0 v) (nd/flatten (get-in blocks [:b :a]))))
      (is (close? (nd/zeros [1 1]) (get-in blocks [:b :b]))))))

;; ---- nested data and options ------------------------------------------------------------------

(defrecord Params [w b])

(deftest structures-and-types-are-kept
  (let [loss (fn [p] (nd/sum (nd/+ (nd/* (:w p) (:w p)) (:b p))))
        g ((nd/grad loss) (->Params v 1.0))]
    (is (instance? Params g))
    (is (close? (nd/* 2.0 v) (:w g)))
    (is (close? 3.0 (:b g))))
  (let [s (sorted-map "z" v "a" (list v [v]))
        g ((nd/grad (fn [s] (nd/sum (nd/* (get s "z") (first (second (get s "a"))))))) s)]
    (is (sorted? g))
    (is (= ["a" "z"] (keys g)))
    (is (list? (get g "a")))
    (is (vector? (second (get g "a"))))
    (is (close? (nd/zeros [3]) (first (get g "a"))))
    (is (close? v (get g "z"))))
  (let [g ((nd/grad (fn [s] (reduce nd/+ (map nd/sum s)))) #{v})]
    (is (set? g))
    (is (close? (nd/ones [3]) (first g))))
  (testing "what is not floating goes as it is and has no gradient"
    (let [g ((nd/grad (fn [{:keys [x n ids mode]}]
                        (is (= [2 :sum] [n mode]))
                        (nd/* n (nd/sum (nd/get x ids)))))
             {:x v :n 2 :ids (nd/array [0 0]) :mode :sum})]
      (is (= {:n nil :ids nil :mode nil} (dissoc g :x)))
      (is (close? (nd/array [4.0 0.0 0.0]) (:x g)))))
  (testing "tangents"
    (let [[y t] (nd/jvp (fn [{:keys [x ids]}] {:y (nd/get x ids) :ids ids :k :done})
                        [{:x v :ids (nd/array [2 0])}] [{:x (nd/array [1.0 2.0 3.0]) :ids nil}])]
      (is (= :done (:k y)))
      (is (close? (nd/array [1.1 0.3]) (:y y)))
      (is (close? (nd/array [3.0 1.0]) (:y t)))
      (is (nil? (:ids t))))))

(deftest places-are-those-of-the-keys
  (let [w (nd/array [1.0 2.0]), b (nd/array [10.0 20.0])
        f (fn [{:keys [w b]}] (nd/+ (nd/* 2.0 w) (nd/* 3.0 b)))
        x (array-map :w w :b b)
        tangents (array-map :b (nd/zeros [2]) :w (nd/ones [2]))]
    (is (close? 2.0 (second (nd/jvp f [x] [tangents]))))
    (is (close? 2.0 ((second (nd/linearize f x)) tangents)))
    (is (close? (nd/* 6.0 w)
                (:w (nd/hvp (fn [{:keys [w b]}] (nd/+ (nd/sum (nd/pow w 3)) (nd/sum b))) x tangents))))
    (let [[_ pullback] (nd/vjp (fn [x] (array-map :a (nd/* 2.0 x) :z (nd/* 3.0 x))) w)]
      (is (close? 2.0 (first (pullback (array-map :z (nd/zeros [2]) :a (nd/ones [2])))))))
    (is (= [[3 2] [2]]
           (map nd/shape (vals ((nd/vmap (fn [{:keys [w b]}] (array-map :w w :b (nd/sum b)))
                                         {:in-axes [(array-map :b 0 :w 1)], :out-axes (array-map :b 0 :w 1)})
                                (array-map :w (nd/ones [3 2]) :b (nd/ones [2 4])))))))
    (let [own (nd/custom-vjp f (fn [_ _ g] [(array-map :b (nd/* 5.0 g) :w (nd/* 4.0 g))]))
          g ((nd/grad (comp nd/sum own)) x)]
      (is (close? 4.0 (:w g)))
      (is (close? 5.0 (:b g)))))
  (testing "also in maps that have another order when they are made anew"
    (let [ks (map #(keyword (str "k" %)) (range 12))
          result (fn [x] (apply array-map (mapcat (fn [i k] [k (nd/* (double i) x)]) (range) ks)))
          each (fn [y] (map #(nd/item (get y %)) ks))]
      (is (= (each (result (nd/array 1.0))) (each (first (nd/vjp result 1.0))) (each (second (nd/jvp result [1.0] [1.0])))))
      (is (= (map double (range 12)) (each ((nd/jacobian result) 1.0)))))))

(deftest members-of-a-set-have-no-place
  (let [f (fn [x] #{(nd/sin x) (nd/cos x)})
        sorted (fn [ys] (sort (map nd/tolist ys)))
        refusal #"the members of a set can't be told apart; use a vector or a map"]
    (is (= (sorted (f v)) (sorted (first (nd/vjp f v))) (sorted ((nd/vmap f) v)) (sorted ((nd/fuse f) v))))
    (testing "but what is in one of them stays there"
      (dotimes [_ 20]
        (let [g (fn [x] (into #{} (map (fn [i] {:i i, :y (nd/* (double i) x)})) (range 10)))
              fused (nd/fuse g)]
          (is (every? (fn [{:keys [i y]}] (= (double i) (nd/item y)))
                      (mapcat (fn [f] (f (nd/array 1.0))) [#(first (nd/vjp g %)) fused fused]))))))
    (testing "cotangents, tangents and what is run twice"
      (let [[y pullback] (nd/vjp f v)]
        (doseq [cotangent [y (vec y) #{(nd/ones [3]) (nd/zeros [3])}]]
          (is (thrown-with-msg? ArgumentException refusal (pullback cotangent))))
        (is (close? (nd/zeros [3]) (first (pullback #{nil})))))
      (is (thrown-with-msg? ArgumentException refusal
                            (nd/jvp (partial reduce nd/+) [#{(nd/ones [3]) v}] [#{(nd/zeros [3]) (nd/ones [3])}])))
      (is (thrown-with-msg? ArgumentException #"checkpoint: the results: the members" ((nd/checkpoint f) v))))
    (testing "one member is no question, and constants are none"
      (is (close? (nd/cos v) (first ((second (nd/vjp (fn [x] #{(nd/sin x)}) v)) #{(nd/ones [3])}))))
      (let [x {:tags #{:a :b} :w v}
            square (fn [{:keys [w]}] (nd/sum (nd/* w w)))]
        (is (close? 2.0 (:w (nd/hvp square x ((nd/grad (comp nd/sum :w)) x)))))))))

(deftest java-collections-with-arrays-are-refused
  (let [x (nd/array [1.0 2.0])
        total (fn [_] (nd/sum x))]
    (doseq [[op f] {"grad" #((nd/grad total) %), "jacobian" #((nd/jacobian total) %), "vjp" #(nd/vjp total %)
                    "hessian" #((nd/hessian total) %)
                    "jvp" #(nd/jvp total [%] [nil]), "linearize" #(nd/linearize total %)}
            data [(doto (ArrayList.) (.add x)) (doto (HashMap.) (.put :a x))
                  {:a x, :b (ArrayList. [[1.0]])}]]
      (is (thrown-with-msg? ArgumentException (re-pattern (str "^" op ": expected Clojure's maps, vectors, lists and sets"))
                            (f data))))
    (is (= {:a 1.0 :b nil :c nil}
           (update ((nd/grad (fn [{:keys [a b]}] (nd/* a (count b)))) {:a 1.0, :b (ArrayList. [1]), :c (double-array [1.0])})
                   :a nd/item))
        "others are leaves without a derivative")
    (testing "also where one holds itself, or others many levels deep"
      (let [lost (ArrayList.), harmless (ArrayList.), around (HashMap.)
            deep (reduce (fn [inner _] (doto (ArrayList.) (.add inner))) x (range 100000))
            value (fn [{:keys [a]}] (nd/* a a))]
        (doto lost (.add lost) (.add 1.0))
        (doto harmless (.add harmless) (.add 1))
        (.put around :a around)
        (doseq [b [lost deep]]
          (is (thrown-with-msg? ArgumentException #"^grad: expected Clojure's maps.*got java.util.ArrayList"
                                ((nd/grad value) {:a 1.0, :b b}))))
        (doseq [b [harmless around]]
          (is (= 2.0 (nd/item (:a ((nd/grad value) {:a 1.0, :b b}))))))))))

(deftest options-of-grad
  (let [f (fn [a b] [(nd/sum (nd/* a (nd/* b b))) {:b b :note :seen}])]
    (is (same-tree? [v {:b v :note :seen}]
                    ((nd/grad (fn [a b] [(nd/sum (nd/* a b)) {:b b :note :seen}]) {:has-aux true}) v v)))
    (let [[[value aux] [gb ga]] ((nd/value-and-grad f {:has-aux true :argnums [1 0]}) v v)]
      (is (close? (nd/sum (nd/pow v 3)) value))
      (is (= :seen (:note aux)))
      (is (not (nd/requires-grad? (:b aux))))
      (is (close? (nd/* 2.0 (nd/* v v)) gb))
      (is (close? (nd/* v v) ga))))
  (is (= [nil true] (let [[a b] ((nd/grad (fn [_ b] (nd/sum b)) {:argnums [0 1] :unused :nil}) v v)]
                      [a (close? (nd/ones [3]) b)])))
  (is (close? (nd/zeros [3]) ((nd/grad (fn [_] (nd/array 2.0))) v)))
  (is (= "float32" (name (nd/dtype ((nd/grad #(nd/sum (nd/* % (nd/array [1.0])))) (nd/ones [3] {:dtype :float32})))))))

(deftest options-as-keyword-arguments
  (let [f (fn [a b] (nd/sum (nd/* a (nd/* b b))))]
    (is (same-tree? ((nd/grad f {:argnums [1 0]}) v v) ((nd/grad f :argnums [1 0]) v v)))
    (is (same-tree? [v v] ((nd/grad (fn [a b] [(nd/sum (nd/* a b)) b]) :has-aux true) v v)))
    (is (same-tree? ((nd/value-and-grad f {:argnums 1}) v v) ((nd/value-and-grad f :argnums 1) v v)))
    (is (same-tree? ((nd/jacobian nd/* {:argnums 1}) v m) ((nd/jacobian nd/* :argnums 1 :mode :reverse) v m)))
    (is (same-tree? ((nd/hessian f {:argnums 1}) v v) ((nd/hessian f :argnums 1) v v)))
    (is (same-tree? (nd/matmul m v) ((nd/vmap nd/dot :in-axes [0 nil]) m v))))
  (testing "those that are nil are not given"
    (is (close? 6.0 ((nd/grad #(nd/* % %) {:argnums nil :has-aux nil :unused nil}) 3.0)))
    (is (close? 6.0 ((nd/jacobian #(nd/* % %) {:argnums nil :mode nil :chunk-size nil}) 3.0)))
    (is (close? 2.0 ((nd/hessian #(nd/* % %) nil) 3.0)))))

(deftest nothing-to-differentiate
  (doseq [transform [nd/grad nd/jacobian nd/hessian], x [(ArrayList. [1]) (HashMap. {:a 1}) (object-array [1.0])
                                                        (double-array 2) (nd/arange 3) [1 2] {:a 1 :b nil} :a]]
    (is (thrown-with-msg? ArgumentException #": expected floating Arrays or doubles to differentiate.*, got \[.*\]$"
                          ((transform (fn [_] (nd/array 1.0))) x))))
  (testing "is no error where there are no leaves, or some other argument has what there is"
    (is (= {} ((nd/grad (fn [_] (nd/array 1.0))) {})))
    (is (nil? (second ((nd/grad nd/* {:argnums [0 1]}) 2.0 (nd/array 3)))))))

(defmulti area :kind)
(defmethod area :square [{:keys [side]}] (nd/* side side))

(deftest every-kind-of-function
  (is (close? 6.0 (:side ((nd/grad area) {:kind :square :side 3.0}))))
  (is (close? 4.0 ((nd/grad (partial nd/* 4.0)) 1.0)))
  (is (close? 1.0 (:x ((nd/grad :x) {:x 2.0 :y 1.0}))))
  (is (close? 1.0 (nth ((nd/grad first) [2.0 3.0]) 0)))
  (is (close? 6.0 ((nd/grad (reify Function (apply [_ x] (nd/* x x)))) 3.0)))
  (is (close? 6.0 ((nd/grad #(.mul ^Array % ^Array %)) 3.0)))
  (is (close? (nd/cos v) ((nd/vmap (nd/grad nd/sin)) v))))

;; ---- batches --------------------------------------------------------------------------------

(deftest axes-of-batches
  (let [x (nd/reshape (nd/arange 24.0) [2 3 4])
        loop-over (fn [f axis] (nd/stack (mapv f (map #(nd/select x axis %) (range (nth [2 3 4] axis))))))]
    (doseq [axis [0 1 2 -1]]
      (is (close? (loop-over #(nd/sum % {:axis 0}) (mod axis 3))
                  ((nd/vmap #(nd/sum % {:axis 0}) {:in-axes axis}) x))))
    (is (= [3 4 2] (nd/shape ((nd/vmap nd/sin {:out-axes 2}) x))))
    (is (= [3 4 2] (nd/shape ((nd/vmap nd/sin {:out-axes -1}) x))))
    (let [{:keys [a b]} ((nd/vmap (fn [{:keys [p q]} k] {:a (nd/+ p q) :b [(nd/* k p) q]})
                                  {:in-axes [{:p 1 :q nil} nil] :out-axes {:a 0 :b [1 nil]}})
                         {:p (nd/ones [2 3]) :q (nd/ones [2])} 5)]
      (is (= [3 2] (nd/shape a)))
      (is (= [2 3] (nd/shape (first b))))
      (is (= [2] (nd/shape (second b))))
      (is (close? (nd/full [2 3] 5.0) (first b))))
    (testing "a result that is the same for all is repeated, in memory of its own"
      (is (close? (nd/ones [2 3]) (nd/set! ((nd/vmap (fn [_] (nd/ones [3]))) (nd/zeros [2])) [0 0] 1.0))))
    (testing "no examples"
      (is (= [0 4] (nd/shape ((nd/vmap #(nd/sort (nd/matmul % (nd/ones [3 4])))) (nd/zeros [0 3]))))))))

(deftest gradients-for-each-example
  (let [loss (fn [{:keys [w b]} x label]
               (nd/neg (nd/get (nd/log-softmax (nd/+ (nd/matmul x w) b)) label)))
        params {:w m :b v}
        xs (nd/array [[1.0 2.0] [0.5 -1.0] [3.0 0.0] [0.0 0.1]])
        labels (nd/array [0 2 1 1])
        each ((nd/vmap (nd/grad loss) {:in-axes [nil 0 0]}) params xs labels)]
    (doseq [i (range 4)]
      (is (same-tree? ((nd/grad loss) params (nd/get xs i) (nd/get labels i))
                      (update-vals each #(nd/get % i)))))
    (is (same-tree? ((nd/grad (fn [p] (nd/sum ((nd/vmap loss {:in-axes [nil 0 0]}) p xs labels)))) params)
                    (update-vals each #(nd/sum % {:axis 0}))))))

(deftest gradients-of-what-was-overwritten
  (doseq [f [#(nd/setitem % [[1]] 0.5) #(nd/setitem % [[0 2]] (nd/array [0.5 1.0]))
             #(nd/setitem % [(nd/array [true false true])] 0.5)
             #(nd/setitem % [(nd/argmax %)] 0.5)]
          :let [x (nd/array [1.0 3.0 2.0]), g (nd/grad (comp nd/sum nd/sin f))]]
    (is (= (nd/tolist ((nd/jacobian f {:mode :forward}) x)) (nd/tolist ((nd/jacobian f {:mode :reverse}) x))))
    (is (nd/allclose (nd/stack [(g x) (g (nd/* 2.0 x))]) ((nd/vmap g) (nd/stack [x (nd/* 2.0 x)])))))
  (is (= [[0.0 0.0 0.0] [0.0 0.0 0.0] [0.0 0.0 4.0]]
         (nd/tolist ((nd/jacobian #(let [y (nd/* 1.0 %)] (nd/set! y [[0 1]] 0.5) (nd/* y y)) {:mode :reverse})
                     (nd/array [1.0 3.0 2.0]))))))

(deftest indexes-of-their-own-for-each-example
  (let [x (nd/reshape (nd/arange 24.0) [2 3 4])
        xs (nd/reshape (nd/arange 72.0) [3 2 3 4])
        selections {:front (fn [x i] (nd/get x i)), :middle (fn [x i] (nd/get x :all i)),
                    :beside-an-integer (fn [x i] (nd/get x 0 :all i)), :last (fn [x i] (nd/get x :ellipsis i)),
                    :apart (fn [x i] (nd/get x i :all [0 1])), :after-an-integer (fn [x i] (nd/get x :all 1 i)),
                    :new-axis (fn [x i] (nd/get x :newaxis :all i 2)), :sliced (fn [x i] (nd/get x 1 i (nd/slice 1 3))),
                    :twice (fn [x i] (nd/get x :all i i)), :taken (fn [x i] (nd/take x i {:axis 1}))}]
    (doseq [[k f] selections, i [(nd/array [0 1 1]) (nd/array [[0 1] [1 1] [1 0]])], own? [true false]]
      (testing [k (nd/shape i) own?]
        (let [axes [(when own? 0) 0]
              all (if own? xs x)
              each (fn [f] (nd/stack (mapv #(f (if own? (nd/get xs %) x) (nd/get i %)) (range 3))))
              loss (fn [x i] (nd/sum (nd/sin (f x i))))]
          (is (same-tree? (each f) ((nd/vmap f {:in-axes axes}) all i)))
          (is (same-tree? (each (nd/grad loss)) ((nd/vmap (nd/grad loss) {:in-axes axes}) all i)))
          (is (same-tree? (cond-> (each (nd/grad loss)) (not own?) (nd/sum {:axis 0}))
                          ((nd/grad (fn [all] (nd/sum ((nd/vmap loss {:in-axes axes}) all i)))) all))))))))


;; ---- derivatives are the caller's own ------------------------------------------------------------

(deftest derivatives-can-be-written-in-place
  (doseq [[what f] {"identity" identity, "a view" #(nd/reshape % [2 1])}]
    (testing what
      (let [x (nd/array [1.0 2.0])
            v (nd/array [3.0 4.0])
            [_ tangent] (nd/jvp f [x] [v])
            [y f-jvp] (nd/linearize f x)
            [_ pullback] (nd/vjp f x)
            c (nd/reshape v (nd/shape y))]
        (run! #(nd/fill! % 9.0) [tangent (f-jvp v) (first (pullback c))])
        (is (= [3.0 4.0] (nd/tolist v)))
        (is (= [1.0 2.0] (nd/tolist x))))))
  (let [[_ [a b]] (nd/jvp (fn [x] [x x]) [1.0] [2.0])]
    (nd/fill! a 9.0)
    (is (= 2.0 (nd/item b)) "of results that are the same array")))

(deftest gradients-can-be-written-in-place
  (let [a (nd/array [1.0 2.0]) b (nd/array [3.0 4.0]) c (nd/array [5.0 6.0])]
    (testing "one is not the other"
      (let [[ga gb] ((nd/grad (fn [[a b]] (nd/sum (nd/* 3.0 (nd/+ a b))))) [a b])]
        (nd/mul! ga 5.0)
        (is (= [15.0 15.0] (nd/tolist ga)))
        (is (= [3.0 3.0] (nd/tolist gb)))))
    (testing "nor the cotangent"
      (let [[_ pullback] (nd/vjp nd/+ a b)
            [ga gb] (pullback c)]
        (nd/add! ga 1.0)
        (nd/add! gb 2.0)
        (is (= [6.0 7.0] (nd/tolist ga)))
        (is (= [7.0 8.0] (nd/tolist gb)))
        (is (= [5.0 6.0] (nd/tolist c)))))))

;; ---- errors -----------------------------------------------------------------------------------

(deftest errors-of-derivatives
  (are [type pattern form] (thrown-with-msg? type pattern form)
    GraphException #"one floating number.*\[3\].*vjp" ((nd/grad nd/sin) v)
    GraphException #"one number as an Array" ((nd/grad (fn [_] {:a 1})) v)
    GraphException #"int64" ((nd/grad (fn [x] (nd/sum (nd/argmax x)))) v)
    ArgumentException #"names argument 2 of 1" ((nd/grad nd/sum {:argnums 2}) v)
    ArgumentException #"^value-and-grad: argnums \[2\] names argument 2 of 1" ((nd/value-and-grad nd/sum {:argnums 2}) v)
    ArgumentException #"^value-and-grad: unknown option" (nd/value-and-grad nd/sum {:argnum 0})
    ArgumentException #"^value-and-grad: expected a function" (nd/value-and-grad 1)
    ArgumentException #"^value-and-grad: unused must be" (nd/value-and-grad nd/sum {:unused :none})
    ArgumentException #"^value-and-grad: expected floating Arrays" ((nd/value-and-grad nd/sum) :x)
    GraphException #"^value-and-grad: .* one floating number" ((nd/value-and-grad nd/sin) v)
    GraphException #"^value-and-grad: .* one number as an Array" ((nd/value-and-grad (fn [_] {:a 1})) v)
    GraphException #"^hvp: .* one floating number" (nd/hvp nd/sin v v)
    GraphException #"^hvp: .* one number as an Array" (nd/hvp (fn [_] :a) v v)
    ArgumentException #"^hvp: expected floating Arrays" (nd/hvp nd/sum :a :a)
    ArgumentException #"^hvp: cannot make an array of :a" (nd/hvp nd/sum v :a)
    ArgumentException #"^hvp: the tangents at \[0\]: expected a map" (nd/hvp :a {:a v} [v])
    ArgumentException #"^hvp: expected Clojure's maps" (nd/hvp nd/sum (doto (ArrayList.) (.add v)) v)
    ShapeException #"^hvp: the tangent has shape \[2\]" (nd/hvp nd/sum v (nd/ones [2]))
    GraphException #"^hessian: .* one floating number" ((nd/hessian nd/sin) v)
    ArgumentException #"^hessian: argnums must be" (nd/hessian nd/sum {:argnums :a})
    ArgumentException #"^hessian: chunk-size must be positive" ((nd/hessian nd/sum {:chunk-size 0}) v)
    ArgumentException #"unused must be" (nd/grad nd/sum {:unused :none})
    ArgumentException #"unknown option" (nd/grad nd/sum {:argnum 0})
    ArgumentException #"^grad: expected keyword arguments in pairs" (nd/grad nd/sum :argnums 0 :has-aux)
    ArgumentException #"^grad: argnums must be an integer or a list of integers, got :x" (nd/grad nd/sum {:argnums :x})
    ArgumentException #"^grad: argnums must be an integer, got 0\.0" (nd/grad nd/sum {:argnums 0.0})
    ArgumentException #"^grad: argnums \[0 0\] names an argument twice" (nd/grad nd/sum {:argnums [0 0]})
    ArgumentException #"^grad: expected at most 1000 argnums in a lazy sequence, got \[0 1 2 3 4 \.\.\.\]"
    (nd/grad nd/sum {:argnums (range)})
    ArgumentException #"^jacobian: expected at most 1000 argnums" (nd/jacobian nd/sum {:argnums (eduction (range))})
    ArgumentException #"^grad: has-aux must be true or false, got 1" (nd/grad nd/sum {:has-aux 1})
    ArgumentException #"^value-and-grad: expected \[value aux\] from the function.*, got an array of shape \[\]$"
    ((nd/value-and-grad nd/sum {:has-aux true}) v)
    ArgumentException #"^grad: expected \[value aux\]" ((nd/grad (fn [x] [(nd/sum x)]) {:has-aux true}) v)
    ArgumentException #"expected a map with the keys \[:a\], got a leaf" ((second (nd/vjp (fn [x] {:a x}) v)) v)
    ArgumentException #"expected a list of 2, got a list of 1" ((second (nd/vjp (fn [x] [x x]) v)) [v])
    ShapeException #"cotangent has shape \[2\].*\[3\]" ((second (nd/vjp nd/sin v)) (nd/ones [2]))
    ShapeException #"tangent has shape \[2\].*\[3\]" (nd/jvp nd/sin [v] [(nd/ones [2])])
    ArgumentException #"tangents.*expected a list of 1" (nd/jvp nd/sin [v] [v v])
    ArgumentException #"^vjp: cannot make an array of :a" ((second (nd/vjp nd/sin v)) :a)
    ArgumentException #"^jvp: cannot make an array of \"a\"" (nd/jvp nd/sin [v] ["a"])
    ArgumentException #"^linearize: cannot make an array of :a" ((second (nd/linearize nd/sin v)) :a)
    ArgumentException #"vector of arguments" (nd/jvp nd/sin v v)
    ArgumentException #"mode must be" (nd/jacobian nd/sin {:mode :sideways})
    ArgumentException #"chunk-size must be positive" ((nd/jacobian nd/sin {:chunk-size 0}) v)
    ArgumentException #"^jacobian: chunk-size must be an integer, got \"a\"" (nd/jacobian nd/sin {:chunk-size "a"})
    ArgumentException #"^jacobian: chunk-size 10000000000 is too large" (nd/jacobian nd/sin {:chunk-size 10000000000})
    ArgumentException #"^hessian: chunk-size must be an integer, got 0\.5" (nd/hessian nd/sum {:chunk-size 0.5})
    GraphException #"view of a leaf" ((nd/grad #(nd/sum (nd/mul! % 2.0))) v)
    GraphException #"in place inside jvp or vmap" (nd/jvp #(nd/add! (nd/* % 1.0) 1.0) [v] [v])))

(deftest errors-of-batches
  (are [type pattern form] (thrown-with-msg? type pattern form)
    ShapeException #"axis 1 of array 0, whose shape is \[3\]" ((nd/vmap nd/sin {:in-axes 1}) v)
    ShapeException #"of the number 2.0" ((nd/vmap nd/+) v 2.0)
    ShapeException #"a vector of numbers needs nd/array" ((nd/vmap nd/sum) [[1.0 2.0]])
    ShapeException #"differ in size: array 0 has 3 examples, array 1 of shape \[2\] has 2"
    ((nd/vmap nd/+) v (nd/ones [2]))
    ArgumentException #"no array is mapped" ((nd/vmap nd/sin {:in-axes nil}) v)
    ArgumentException #"has 1 entries for 2 arguments" ((nd/vmap nd/+ {:in-axes [0]}) v v)
    ArgumentException #"in-axes at \[0\]: expected a map" ((nd/vmap :x {:in-axes [[0]]}) {:x v})
    ArgumentException #"^vmap: expected an integer, nil or a vector .* as in-axes, got :a" ((nd/vmap nd/sin {:in-axes :a}) v)
    ArgumentException #"^vmap: expected an integer, nil or a vector .* as in-axes, got 0\.5" ((nd/vmap nd/sin {:in-axes 0.5}) v)
    ArgumentException #"^vmap: in-axes must be an integer, got :a" ((nd/vmap nd/sin {:in-axes [:a]}) v)
    ArgumentException #"^vmap: in-axes must be an integer, got \[\]" ((nd/vmap nd/sin {:in-axes [[]]}) v)
    ArgumentException #"^vmap: in-axes \[0 1 2 3 4 \.\.\.\] has more entries for 1 arguments" ((nd/vmap nd/sin {:in-axes (range)}) v)
    ArgumentException #"in-axes at \[0\]: expected a list of 2, got a list of 1000 or more"
    ((nd/vmap first {:in-axes [(range)]}) [v v])
    ArgumentException #"^vmap: out-axes must be an integer, got :a" ((nd/vmap nd/sin {:out-axes :a}) v)
    ArgumentException #"^vmap: out-axes must be an integer, got 0\.5" ((nd/vmap nd/sin {:out-axes 0.5}) v)
    ArgumentException #"^vmap: out-axes must be an integer, got \[0\]" ((nd/vmap nd/sin {:out-axes [0]}) v)
    ArgumentException #"out-axes: expected a list of 2, got a list of 1000 or more"
    ((nd/vmap (fn [x] [x x]) {:out-axes (range)}) v)
    ArgumentException #"out-axes has no axis" ((nd/vmap nd/sin {:out-axes nil}) v)
    ShapeException #"out-axes names axis 2" ((nd/vmap nd/sin {:out-axes 2}) v)
    GraphException #"inside vmap.*where" ((nd/vmap #(if (pos? (double (nd/item %))) % (nd/neg %))) v)
    GraphException #"different shapes" ((nd/vmap #(nd/masked-select % (nd/> % 0.0))) (nd/array [[1.0 -1.0] [1.0 1.0]]))
    IndexException #"target -1 is out of range; expected a class from 0 to 2"
    ((nd/vmap nd/nll-loss) (nd/log-softmax (nd/ones [2 4 3])) (nd/array [[0 1 2 0] [1 -1 0 2]]))
    IndexException #"target 3 is out of range; expected a class from 0 to 2, or the ignored -1"
    (nd/nll-loss (nd/ones [2 3]) [-1 3] {:ignore-index -1})
    ShapeException #"at least 2 dimensions, this one has shape \[3\]" ((nd/vmap nd/tril) (nd/ones [3 3]))
    ShapeException #"axis" ((nd/vmap #(nd/argsort % {:axis -2})) v)
    ShapeException #"axis" ((nd/vmap #(nd/cummax % {:axis 1})) v)
    GraphException #"in place inside jvp or vmap" ((nd/vmap #(nd/add! % 1.0)) v)))
