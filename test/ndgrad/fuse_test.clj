(ns ndgrad.fuse-test
  "Fused functions: random programs give what they give unfused, with all derivatives; what is done in one step; what is
  run as it is, and why."
  (:require
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [clojure.test.check :as tc]
   [clojure.test.check.clojure-test :refer [defspec]]
   [clojure.test.check.generators :as gen]
   [clojure.test.check.properties :as prop]
   [ndgrad.core :as nd]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.random :as random])
  (:import
   (com.sun.management ThreadMXBean)
   (java.lang.management ManagementFactory)
   (ndgrad Array ArgumentException Memory NdException Ops ShapeException)
   (ndgrad.op.spec Structural)))

(set! *warn-on-reflection* true)

;; ---- random programs --------------------------------------------------------------------------

(def ^:private unary
  {:sin nd/sin, :tanh nd/tanh, :sigmoid nd/sigmoid, :relu nd/relu, :abs nd/abs, :square nd/square, :neg nd/neg
   :softplus nd/softplus, :exp #(nd/exp (nd/tanh %)), :root #(nd/sqrt (nd/+ 1.0 (nd/square %)))
   :cube #(nd/pow % 3), :scale #(nd/* 0.3 %), :half #(nd// % 2), :floor nd/floor, :erf nd/erf
   :stop nd/detach, :clip #(nd/clip % -0.5 0.5), :silu nd/silu, :view #(nd/expand % (into [1] (nd/shape %)))
   :T nd/T, :first #(if (pos? (nd/ndim %)) (nd/get % 0) %), :flat #(nd/reshape % [-1])
   :float32 #(nd/astype (nd/astype % :float32) :float64), :sort #(if (pos? (nd/ndim %)) (nd/sort %) %)
   :quiet #(nd/+ % (nd/no-grad (nd/sin %)))
   :cumsum #(if (pos? (nd/ndim %)) (nd/cumsum % {:axis -1}) %)})

(def ^:private binary
  {:+ nd/+, :- nd/-, :* nd/*, :over #(nd// %1 (nd/+ 1.5 (nd/square %2))), :maximum nd/maximum
   :where #(nd/where (nd/> %1 %2) %1 (nd/sin %2)), :mask #(nd/* (nd/< %1 %2) %1)
   :both #(nd/where (nd/logical-and (nd/> %1 0.1) (nd/< %2 0.2)) (nd/* %1 %2) 0.5)
   :hypot #(nd/hypot (nd/+ %1 2.0) %2)})

(def ^:private folds
  {:sum nd/sum, :mean nd/mean, :max nd/max, :var nd/var, :std nd/std, :logsumexp nd/logsumexp})

(defn- broadcasts? [a b]
  (every? true? (map #(or (= %1 %2) (= 1 %1) (= 1 %2)) (rseq (nd/shape a)) (rseq (nd/shape b)))))

(defn- matches? [a b]
  (and (= 2 (nd/ndim a)) (= 2 (nd/ndim b)) (= (second (nd/shape a)) (second (nd/shape b)))))

(defn- step
  "The values with that of one more instruction; those that do not apply are left out."
  [values [op & more]]
  (let [n (count values)
        at #(nth values (- n 1 (mod % n)))
        [i j] (map at (filter int? more))]
    (cond
      (unary op) (conj values ((unary op) i))
      (and (binary op) (broadcasts? i j)) (conj values ((binary op) i j))
      (and (folds op) (pos? (nd/ndim i)))
      (conj values ((folds op) i {:axis (case (last more) :all nil :first 0 -1), :keepdims (= 0 (mod (second more) 2))}))
      (and (= op :matmul) (matches? i j)) (conj values (nd/matmul i (nd/T j)))
      :else values)))

(defn- program
  "The function of three arrays that instructions describe; gives its last two values."
  [instructions]
  (fn [x y z]
    (let [values (reduce step [x y z] instructions)]
      [(peek values) (peek (pop values))])))

(def ^:private gen-instruction
  (gen/one-of
   [(gen/tuple (gen/elements (keys unary)) (gen/choose 0 3))
    (gen/tuple (gen/elements (keys unary)) (gen/choose 0 1))
    (gen/tuple (gen/elements (keys binary)) (gen/choose 0 3) (gen/choose 0 8))
    (gen/tuple (gen/elements (keys folds)) (gen/choose 0 3) (gen/choose 0 3) (gen/elements [:all :first :last]))
    (gen/tuple (gen/return :matmul) (gen/choose 0 3) (gen/choose 0 8))]))

(def ^:private gen-program (gen/vector gen-instruction 1 14))

(def ^:private points
  [(nd/array [[0.31 -0.72 1.13 0.24] [-1.45 0.56 0.07 -0.38] [0.99 1.21 -0.62 0.43]])
   (nd/array [0.83 -0.14 0.65 -1.06])
   (nd/array [[0.47] [-0.98] [0.19]])])

(defn- flat [x] (if (instance? Array x) [x] (mapcat flat x)))

(defn- largest
  "The largest finite magnitude among the elements of arrays, at least 1."
  [xs]
  (->> (mapcat #(flatten [(nd/tolist (nd/astype % :float64))]) xs)
       (map abs)
       (filter #(< % ##Inf))
       (reduce max 1.0)))

(defn- same?
  "Whether results agree to rounding, which is that of the largest numbers that may have cancelled: second derivatives of
  the deviation of nearly equal numbers reach 1e14."
  [a b]
  (let [as (flat a), bs (flat b), atol (* 1e-9 (largest as))]
    (and (= (map nd/shape as) (map nd/shape bs))
         (= (map nd/dtype as) (map nd/dtype bs))
         (every? true? (map #(nd/allclose %1 %2 {:rtol 1e-9 :atol atol :equal-nan true}) as bs)))))

(defn- views
  "Several functions of the points made of `f`: derivatives of every kind."
  [f]
  (let [loss (fn [& xs] (reduce nd/+ (map #(nd/sum (nd/sin %)) (apply f xs))))
        g (nd/grad loss {:argnums [0 1 2]})
        gg (nd/grad (fn [& xs] (reduce nd/+ (map #(nd/sum (nd/cos %)) (apply g xs)))) {:argnums [0 1 2]})]
    {:value #(apply f points)
     :gradient #(apply g points)
     :second #(apply gg points)
     :jvp #(nd/jvp f points (mapv nd/cos points))
     :forward-over-reverse #(nd/jvp g points (mapv nd/cos points))
     :vmap #(apply (nd/vmap f {:in-axes [0 nil 0]}) [(nd/stack [(first points) (nd/sin (first points))])
                                                       (second points)
                                                       (nd/stack [(last points) (last points)])])
     :vmap-of-grad #(apply (nd/vmap g {:in-axes [0 nil nil]}) (update points 0 (fn [x] (nd/stack [x (nd/cos x)]))))}))

(defn- agree? [f]
  (let [fused (nd/fuse f)
        eager (views f)]
    (and (every? (fn [[kind run]]
                   (or (same? (run) ((kind (views fused))))
                       (println kind "differs:" (run) ((kind (views fused))))))
                 eager)
         (every? #(nil? (:fallback %)) (nd/fuse-report fused)))))

(def ^:private the-same-fused
  (prop/for-all [p gen-program]
    (let [f (program p)]
      (and (agree? f)
           (let [loss (fn [f] (fn [& xs] (reduce nd/+ (map #(nd/sum (nd/sin %)) (apply f xs)))))
                 g (nd/grad (loss f) {:argnums [0 1 2]})
                 fused (nd/fuse g)
                 outer (fn [g] (nd/grad (fn [x y z] (reduce nd/+ (map #(nd/sum (nd/cos %)) (g x y z))))))]
             (and (same? (apply g points) (apply fused points))
                  (same? (apply (outer g) points) (apply (outer fused) points))
                  (same? (nd/jvp g points points) (nd/jvp fused points points))))))))

(defspec random-programs-give-the-same-fused 60 the-same-fused)

(deftest programs-that-once-differed
  (is (agree? (program [[:neg 0] [:- 0 2] [:var 0 0 :first] [:std 0 0 :all]])) "second derivatives of 1e14"))

(deftest every-dtype
  (doseq [dtype [:float32 :float64 :int32 :int64 :bool]
          f [(fn [x] (nd/+ (nd/* x 2) 1)) (fn [x] (nd/mean (nd/* x x))) (fn [x] (nd/where (nd/> x 1) (nd/exp x) x))
             (fn [x] (nd/sum (nd/+ (nd/exp x) 0.5) {:axis 0})) (fn [x] (nd/logical-or (nd/> (nd/sin x) 0.5) (nd/isnan (nd/sin x))))]
          :let [x (nd/astype (nd/array [[0 1 2] [3 4 5]]) dtype)
                a (f x), b ((nd/fuse f) x)]]
    (is (= (nd/dtype a) (nd/dtype b)))
    (is (nd/allclose a b {:rtol 1e-6}))))

(defn- of-case
  "The function that calls the op of a case with arrays in the order of the inputs."
  [c]
  (let [inputs (sort (map :input (samples/arrays c)))
        f @(ns-resolve 'ndgrad.core (symbol (samples/op-name (:op c))))]
    (fn [& xs]
      (let [given (zipmap inputs xs)
            make (fn [arr] (.tensor ^Array (given (:input arr))))
            [positional options] (tensors/call-args c make true)]
        (apply f (cond-> (if (= f nd/get) (apply list* positional) positional)
                   (seq options) (concat [(update-keys options keyword)])))))))

(deftest every-op
  (doseq [op (samples/ops)
          :when (ns-resolve 'ndgrad.core (symbol (samples/op-name op)))
          c (samples/cases op)
          :when (and (= "float64" (:variant c)) (seq (samples/arrays c)) (not= "dropout" (samples/op-name op)))
          :let [f (of-case c)
                fused (nd/fuse f)
                xs (mapv #(Ops/call Structural/COPY {} (object-array [(tensors/tensor %)])) (sort-by :input (samples/arrays c)))
                results (fn [g] (filter nd/array? (flatten [(apply g xs)])))]]
    (testing (samples/describe c)
      (is (same? (results f) (nd/with-scope (results fused))))
      (is (same? (results f) (results fused)) "again"))))

(deftest empty-and-scalar
  (doseq [shape [[] [0] [0 3] [1] [2 1]]
          f [(fn [x] (nd/* 2.0 (nd/sin (nd/+ x 1)))) (fn [x] (nd/sum (nd/sin (nd/* x x))))]]
    (is (same? (f (nd/ones shape)) ((nd/fuse f) (nd/ones shape))))
    (is (same? ((nd/grad (fn [x] (nd/sum (f x)))) (nd/ones shape)) ((nd/grad (fn [x] (nd/sum ((nd/fuse f) x)))) (nd/ones shape))))))

;; ---- what is done -----------------------------------------------------------------------------

(defn- steps [f & args]
  (let [g (nd/fuse f)]
    (apply g args)
    (:steps (first (nd/fuse-report g)))))

(defn- gelu [g] (nd/* 0.5 g (nd/+ 1 (nd/tanh (nd/* 0.7978845608 (nd/+ g (nd/* 0.044715 (nd/pow g 3))))))))

(deftest chains-are-one-step
  (is (= 1 (count (steps gelu (nd/ones [3])))))
  (is (str/starts-with? (first (steps gelu (nd/ones [3]))) "8 ops in one"))
  (testing "with the mean that follows"
    (is (= 1 (count (steps (fn [x w b y] (nd/mean (nd/pow (nd/- (nd/+ (nd/* x w) b) y) 2)))
                           (nd/ones [5]) (nd/ones [1]) (nd/ones [1]) (nd/ones [5]))))))
  (testing "with the largest or smallest that follows, where nobody differentiates"
    (let [distance (fn [a b] (nd/max (nd/abs (nd/- a b)) {:axis 1 :keepdims true}))
          a (nd/array [[1.0 5.0 -2.0] [##NaN 1.0 0.5]]) b (nd/array [0.5 0.25 0.0])
          tracked (nd/requires-grad! (nd/array [[1.0 5.0 -2.0] [4.0 1.0 0.5]]) true)]
      (is (= 1 (count (steps distance a b))))
      (is (re-find #"max over" (first (steps distance a b))))
      (is (nd/array-equal (distance a b) ((nd/fuse distance) a b) {:equal-nan true}))
      (is (= 1 (count (steps (fn [x] (nd/min (nd/* 2 (nd/exp x)))) b))))
      (is (= 2 (count (steps distance tracked b))))
      (is (same? ((nd/grad (comp nd/sum distance)) tracked b)
                 ((nd/grad (comp nd/sum (nd/fuse distance))) tracked b)))
      (is (thrown? ndgrad.ShapeException ((nd/fuse (fn [x] (nd/max (nd/exp x)))) (nd/ones [0]))))))
  (testing "what is cheap is computed again rather than stored"
    (is (= 3 (count (steps (fn [x] (let [c (nd/- x (nd/mean x))] (nd// c (nd/sum (nd/* c c))))) (nd/ones [5]))))))
  (testing "other ops are steps of their own"
    (is (= ["2 ops in one" "matmul" "2 ops in one"]
           (map #(re-find #"^\d ops in one|^\w+" %)
                (steps (fn [x] (nd/relu (nd/+ 1 (nd/matmul (nd/* 2 (nd/sin x)) x)))) (nd/ones [3 3]))))))
  (testing "what nobody needs is not computed"
    (is (= 1 (count (steps (fn [x] (nd/exp x) (nd/sin x)) (nd/ones [3]))))))
  (testing "long chains are cut"
    (let [long-chain (fn [x] (nth (iterate #(nd/sin (nd/* 1.01 %)) x) 300))]
      (is (< 5 (count (steps long-chain (nd/ones [3]))) 60))
      (is (same? (long-chain (nd/ones [3])) ((nd/fuse long-chain) (nd/ones [3])))))
    (let [doubling (fn [x] (nth (iterate #(nd/+ (nd/sin %) (nd/cos %)) x) 40))]
      (is (same? (doubling (nd/ones [3])) ((nd/fuse doubling) (nd/ones [3]))))
      (is (same? ((nd/grad (comp nd/sum doubling)) (nd/ones [3]))
                 ((nd/grad (comp nd/sum (nd/fuse doubling))) (nd/ones [3])))))))

(deftest reductions-of-two-passes-are-one-step
  (let [wave (fn [n & shape] (nd/reshape (nd/sin (nd/arange (double n))) (vec shape)))
        x (wave 12000 30 400), b (wave 400 400), c (wave 30 30 1)
        loss (fn [f] (fn [x b] (nd/sum (nd/sin (f x b)))))
        slopes (fn [f] (nd/grad (loss f) {:argnums [0 1]}))
        curvature (fn [f] (nd/grad (fn [x b] (reduce nd/+ (map #(nd/sum (nd/cos %)) ((slopes f) x b)))) {:argnums [0 1]}))]
    (doseq [[fold f other]
            [["var" (fn [x b] (nd/var (nd/* 2 (nd/- x b)) {:axis -1 :ddof 1})) b]
             ["var" (fn [x c] (nd/var (nd/where (nd/> x c) (nd/neg x) c))) c]
             ["std" (fn [x b] (nd/std (nd/+ (nd/* x b) 3) {:axis 0 :keepdims true})) b]
             ["std" (fn [x c] (nd/std (nd/- x c) {:axis [0 1] :ddof 1.5})) c]
             ["logsumexp" (fn [x b] (nd/logsumexp (nd/+ (nd// x 0.1) b) {:axis -1})) b]
             ["logsumexp" (fn [x c] (nd/logsumexp (nd/* x c) {:axis 0 :keepdims true})) c]]
            :let [tracked (nd/requires-grad! (nd/copy x) true)]]
      (testing fold
        (doseq [x [x tracked]]
          (is (= 1 (count (steps f x other))))
          (is (re-find (re-pattern (str "ops in one: " fold " over")) (first (steps f x other)))))
        (is (same? (f x other) ((nd/fuse f) x other)))
        (is (same? ((slopes f) x other) ((slopes (nd/fuse f)) x other)))
        (is (same? ((curvature f) x other) ((curvature (nd/fuse f)) x other)))
        (is (same? (nd/jvp f [x other] [(nd/cos x) (nd/cos other)])
                   (nd/jvp (nd/fuse f) [x other] [(nd/cos x) (nd/cos other)])))
        (let [x (nd/astype x :float32), other (nd/astype other :float32), y ((nd/fuse f) x other)]
          (is (= :float32 (nd/dtype y)))
          (is (nd/allclose (f x other) y {:rtol 1e-5})))))
    (testing "what is dear is stored, and not computed twice"
      (is (= ["exp" "2 ops in one"]
             (map #(re-find #"^\d ops in one|^\w+" %) (steps (fn [x] (nd/var (nd/* 2 (nd/exp x)))) x)))))))

(deftest two-passes-are-as-exact-fused
  (testing "a variance far from 0"
    (let [x (nd/astype (nd/sin (nd/arange 10000.0)) :float32)
          far #(nd/+ % 10000.0)
          exact (let [y (nd/astype (far x) :float64), d (nd/- y (nd/mean y))] (nd/mean (nd/* d d)))]
      (is (nd/allclose exact ((nd/fuse (fn [x] (nd/var (far x)))) x) {:rtol 1e-5}))
      (is (nd/allclose (nd/sqrt exact) ((nd/fuse (fn [x] (nd/std (far x)))) x) {:rtol 1e-5}))))
  (testing "exponentials out of range"
    (doseq [scale [1000.0 -1000.0]
            :let [total ((nd/fuse (fn [x] (nd/logsumexp (nd/* scale x)))) (nd/ones [50]))]]
      (is (nd/allclose (+ scale (Math/log 50)) total {:rtol 1e-14}))))
  (testing "what is infinite or not a number"
    (doseq [row [[##Inf 1.0 ##-Inf] [##-Inf ##-Inf ##-Inf] [##NaN 1.0 2.0] [2.0 2.0 2.0] [##-Inf 0.5 1.0]]
            fold [nd/var nd/std nd/logsumexp]
            :let [f (fn [x] (fold (nd/* 0.5 x) {:axis -1})), x (nd/array [row row])]]
      (is (same? (f x) ((nd/fuse f) x)))
      (is (same? ((nd/grad (comp nd/sum f)) x) ((nd/grad (comp nd/sum (nd/fuse f))) x)))))
  (testing "of nothing, and of too few"
    (doseq [[shape options] [[[0] {}] [[0 3] {:axis 0}] [[2 0] {:axis 1}] [[0 3] {:axis 1}] [[1] {}] [[] {}]]
            fold [#(nd/var %1 (assoc %2 :ddof 1)) nd/std nd/logsumexp]
            :let [f (fn [x] (fold (nd/* 0.5 x) options))]]
      (is (same? (f (nd/ones shape)) ((nd/fuse f) (nd/ones shape)))))))

(deftest runs-once-for-each-kind
  (let [runs (atom 0)
        f (nd/fuse (fn [x y] (swap! runs inc) (nd/* 2.0 (nd/+ x y))))
        x (nd/ones [3])]
    (dotimes [_ 5] (f x x))
    (is (= 1 @runs))
    (f (nd/ones [4]) (nd/ones [4]))
    (f x (nd/astype x :float32))
    (f x 2.0)
    (f x 3.0)
    (is (= 5 @runs))
    (f x x)
    (f x 2.0)
    (is (= 5 @runs))
    (is (= [1 1 1 2 6] (sort (map :calls (nd/fuse-report f)))))
    (testing "another kind where a gradient is asked for"
      (f (nd/array [1.0 2.0 3.0] {:requires-grad true}) x)
      (nd/no-grad (f x x))
      (is (= 7 @runs)))))

(deftest numbers-that-change
  (let [runs (atom 0), f (nd/fuse (fn [x rate] (swap! runs inc) {:y (nd/* x rate) :rate rate})), x (nd/ones [3])]
    (doseq [n (range 40)]
      (is (same? (nd/* x (double n)) (:y (f x (double n))))))
    (is (= 40 @runs))
    (is (= 8 (:calls (first (nd/fuse-report f)))))
    (is (re-find #"numbers that change" (:fallback (first (nd/fuse-report f)))))
    (is (instance? Array (:rate (f x 41.0))))
    (is (= 33 (count (nd/fuse-report f))))))

(deftest numbers-that-are-equal-but-not-the-same
  (let [quotient (nd/fuse nd//), x (nd/ones [1])]
    (is (= [##Inf] (nd/tolist (quotient x 0.0))))
    (is (= [##-Inf] (nd/tolist (quotient x -0.0))))
    (is (every? NaN? (mapcat #(nd/tolist (quotient x %)) (repeat 3 ##NaN))))
    (is (= 3 (count (nd/fuse-report quotient)))))
  (let [array (nd/fuse (fn [_ xs] (nd/array xs)))]
    (is (= [:float32 :float64 :int32 :int64]
           (map #(nd/dtype (array (nd/ones [1]) [%])) [(float 0.5) 0.5 (int 1) 1])))))

(deftest elements-that-change
  (doseq [[made change!] [[(double-array [1 2]) #(aset ^doubles % 0 5.0)]
                          [(java.util.ArrayList. [1.0 2.0]) #(.set ^java.util.List % 0 5.0)]]]
    (let [f (nd/fuse (fn [x {:keys [y]}] (nd/+ x y)))]
      (is (= [2.0 3.0] (nd/tolist (f (nd/ones [2]) {:y made}))))
      (change! made)
      (is (= [6.0 3.0] (nd/tolist (f (nd/ones [2]) {:y made}))))
      (is (= [[2 true]] (map (juxt :calls #(boolean (re-find #"may change" (:fallback %)))) (nd/fuse-report f)))))))

(deftest many-kinds
  (let [f (nd/fuse (fn [x] (nd/* 2.0 (nd/sin x))))]
    (doseq [n (range 1 200)] (f (nd/ones [n])))
    (is (= 64 (count (nd/fuse-report f))))
    (is (same? (nd/* 2.0 (nd/sin (nd/ones [3]))) (f (nd/ones [3]))))))

(defrecord Params [w b])

(deftest nested-data
  (let [f (fn [{:keys [params x] :as all} [scale k]]
            {:y (nd/+ (nd/* (:w params) x scale) (:b params)) :kept k :list (list (nd/sin x) 7) :n (count all) :number 2.5})
        args [{:params (->Params (nd/ones [2]) (nd/array 3.0)) :x (nd/array [1.0 2.0])} [0.5 :k]]
        a (apply f args), b (apply (nd/fuse f) args)]
    (is (= (dissoc a :y :list :number) (dissoc b :y :list :number)))
    (is (same? [(:y a) (first (:list a))] [(:y b) (first (:list b))]))
    (is (= [7 2.5] [(second (:list b)) (nd/item (:number b))]))
    (is (instance? Params ((nd/fuse (fn [p] (update p :w nd/sin))) (->Params (nd/ones [2]) 1))))))

(deftest results-without-arrays
  (doseq [y [nil [] {} {:a nil} :done 3]]
    (is (= y ((nd/fuse (fn [_] y)) (nd/ones [2])) ((nd/fuse (fn [_ _] y)) (nd/ones [2]) 3)))))

(deftest maps-in-another-order
  (let [runs (atom 0)
        f (fn [{:keys [w b]}] (swap! runs inc) (nd/- w b))
        fused (nd/fuse f)
        x (array-map :w (nd/array 1.0) :b (nd/array 5.0))
        turned (array-map :b (nd/array 5.0) :w (nd/array 1.0))
        nested (fn [x] (nd/item (fused {:w (:w x) :b (:b x) :more [x]})))]
    (dotimes [_ 2]
      (is (= [-4.0 -4.0] (map (comp nd/item fused) [x turned])))
      (is (= [-4.0 -4.0] (map nested [x turned]))))
    (is (= 4 @runs))
    (testing "is what the function itself sees"
      (let [order (nd/fuse (fn [m] (apply nd/- (vals m))))]
        (is (= [-4.0 4.0] (map (comp nd/item order) [x turned])))))))

(deftest collections-of-another-type
  (let [f (nd/fuse (fn [xs] (nd/* (first xs) (if (vector? xs) 2.0 3.0)))), x (nd/ones [2])]
    (is (same? [(nd/* 2.0 x) (nd/* 3.0 x) (nd/* 3.0 x)] (map f [[x] (list x) (map identity [x])]))))
  (let [f (nd/fuse (fn [xs] (nd/sum (reduce nd/+ xs))))]
    (is (= [3.0 1.0] (map (comp nd/item f) [#{(nd/array 1.0) (nd/array 2.0)} #{(nd/array 1.0)}])))))

(defn- made
  "Bytes of the arrays that `f` makes when it has been traced, also of those it uses for a moment: once its scope is
  closed they all wait in the pool, which takes none under 2 KiB."
  [f]
  (f)
  (Memory/clear)
  (nd/with-scope (f) nil)
  (.held (Memory/kept)))

(defn- allocated
  "Bytes that this thread allocates for `f`, once it is warm."
  [f]
  (dotimes [_ 20] (f))
  (let [bean ^ThreadMXBean (ManagementFactory/getThreadMXBean)
        before (.getCurrentThreadAllocatedBytes bean)]
    (f)
    (- (.getCurrentThreadAllocatedBytes bean) before)))

(def ^:private vectors-are-objects
  "Whether vectors run from the first call on: until the JIT has compiled them each is an object, and bytes say nothing."
  (= "vector" (System/getProperty "ndgrad.kernels")))

(deftest no-arrays-in-between
  (let [x (nd/ones [100000]), bytes 800000
        n (nd/set-num-threads! 1)]
    (is (nil? n))
    (testing "one result, no more"
      (let [f (nd/fuse gelu)]
        (is (<= bytes (made #(f x)) (* 1.1 bytes)))
        (is (< (* 2 bytes) (made #(gelu x))) "op by op there are more")
        (when-not vectors-are-objects
          (is (< (allocated #((nd/fuse gelu) x)) 1e8))
          (is (< (allocated #(f x)) (* 1.1 bytes))))))
    (testing "none of n times m times d"
      (let [distances (fn [x y] (nd/exp (nd/neg (nd/sum (nd/square (nd/- (nd/unsqueeze x 1) (nd/unsqueeze y 0))) {:axis -1}))))
            f (nd/fuse distances), bytes (* 50 60 40 8)
            x (nd/requires-grad! (nd/ones [50 40]) true), y (nd/requires-grad! (nd/ones [60 40]) true)
            pass (fn [f] #(nd/backward! (nd/sum (f x y))))]
        (is (< (* 50 60 8) (made (pass f)) (/ bytes 2)))
        (is (< bytes (made (pass distances))) "op by op there are")
        (when-not vectors-are-objects
          (is (< (allocated (pass f)) (/ bytes 2))))))
    (testing "nor where the reduction takes two passes"
      (let [bytes (* 300 400 8)
            x (nd/requires-grad! (nd/ones [300]) true), y (nd/requires-grad! (nd/ones [400]) true)]
        (doseq [fold [nd/var nd/std nd/logsumexp]
                :let [spread (fn [x y] (fold (nd/* 0.5 (nd/- (nd/unsqueeze x 1) y)) {:axis -1}))
                      f (nd/fuse spread)]]
          (is (< (made #(nd/no-grad (f x y))) (/ bytes 10)))
          (is (< (made #(nd/backward! (nd/sum (f x y)))) (/ bytes 10)))
          (is (< (* 2 bytes) (made #(nd/backward! (nd/sum (spread x y)))))))))
    (nd/set-num-threads! (.availableProcessors (Runtime/getRuntime)))))

(deftest in-place-is-seen
  (let [w (nd/array [1.0 2.0]), f (nd/fuse (fn [x] (nd/* x (nd/exp w)))), x (nd/ones [2])]
    (f x)
    (nd/fill! w 0.0)
    (is (same? x (f x)))
    (testing "also where a branch has looked at an array from outside"
      (let [g (nd/fuse (fn [x] (if (pos? (nd/item (nd/sum w))) (nd/* 2 x) (nd/* 3 x))))]
        (is (:fallback (first (do (g x) (nd/fuse-report g)))))
        (is (same? (nd/* 3 x) (g x))))
      (let [s (nd/array 1.0), g (nd/fuse (fn [x] (if (pos? (nd/item s)) (nd/* 2 x) (nd/* 3 x))))]
        (is (same? (nd/* 2 x) (g x)))
        (nd/fill! s -1.0)
        (is (same? (nd/* 3 x) (g x)))
        (is (not (:fallback (first (nd/fuse-report g)))))))
    (testing "parameters from outside get their gradients, and their new values"
      (let [p (nd/array [1.0 2.0] {:requires-grad true}), f (nd/fuse (fn [x] (nd/sum (nd/* x (nd/sin p)))))]
        (dotimes [_ 3]
          (nd/zero-grad! p)
          (nd/backward! (f x))
          (is (same? (nd/* x (nd/cos (nd/detach p))) (nd/grad-of p)))
          (nd/no-grad (nd/sub! p (nd/* 0.1 (nd/grad-of p)))))))
    (testing "a saved value that changed is noticed"
      (let [x (nd/array [1.0 2.0] {:requires-grad true}), a (nd/* 1.0 x), y ((nd/fuse gelu) a)]
        (nd/fill! a 2.0)
        (is (thrown? NdException (nd/backward! (nd/sum y))))))))

(deftest results-are-the-callers-own
  (let [f (nd/fuse (fn [x] [(nd/* 2.0 (nd/sin x)) (nd/zeros [2]) x])), x (nd/ones [2])
        [a z same] (f x)]
    (nd/fill! z 5.0)
    (nd/fill! a 5.0)
    (is (identical? x same))
    (is (same? (nd/zeros [2]) (second (f x))))
    (is (same? (nd/* 2.0 (nd/sin x)) (first (f x))))))

;; ---- what is run as it is ---------------------------------------------------------------------

(deftest what-cannot-be-traced
  (let [x (nd/array [0.5 -1.0])
        counter (nd/zeros [1])
        leaf (nd/array [1.0 1.0] {:requires-grad true})
        seen (nd/array [1.0 1.0] {:requires-grad true})
        history (nd/sin leaf)
        own (nd/custom-vjp nd/sin (fn [[_] _ g] [(nd/* 2.0 g)]))]
    (nd/backward! (nd/sum (nd/* seen seen)))
    (doseq [[reason f]
            [[#"reads elements" (fn [x] (if (pos? (nd/item (nd/sum x))) (nd/sin x) (nd/cos x)))]
             [#"reads elements" (fn [x] (nd/* x (count (nd/tolist x))))]
             [#"reads elements" (fn [x] (nd/get x (nd/> x 0)))]
             [#"reads elements" (fn [x] (nd/get (nd/sin x) (nd/argsort x)))]
             [#"where elements lie" (fn [x] (nd/* x (first (nd/strides x))))]
             [#"where elements lie" (fn [x] (nd/+ x (nd/offset x)))]
             [#"shape depends on elements" (fn [x] (nd/argwhere (nd/> x 0)))]
             [#"shape depends on elements" (fn [x] (first (nd/nonzero x)))]
             [#"shape depends on elements" (fn [x] (nd/one-hot (nd/astype (nd/abs x) :int64)))]
             [#"writes in place" (fn [x] (nd/add! counter 1.0) (nd/sin x))]
             [#"writes in place" (fn [x] (let [z (nd/zeros [2])] (nd/set! z :all x) z))]
             [#"draws random" (fn [x] (nd/+ x (random/randn [2])))]
             [#"draws random" (fn [x] (nd/dropout x {:p 0.5}))]
             [#"rules of its own" (fn [x] (own x))]
             [#"calls backward" (fn [x] (nd/backward! (nd/sum (nd/* leaf x))) x)]
             [#"asks for a gradient" (fn [x] (nd/requires-grad! x false))]
             [#"reads a gradient" (fn [x] (nd/+ x (nd/grad-of seen)))]
             [#"returns an array that it takes from outside" (fn [_] leaf)]
             [#"result of a tracked op from outside" (fn [x] (nd/* x history))]
             [#"on another thread" (fn [x] (nd/* x @(future (nd/sin x))))]
             [#"more than 20000 ops" (fn [x] (nth (iterate nd/sin x) 20001))]]]
      (let [g (nd/fuse f)]
        (random/manual-seed! 3)
        (let [a (f x)]
          (random/manual-seed! 3)
          (is (= (nd/tolist a) (nd/tolist (g x)))))
        (is (re-find reason (str (:fallback (first (nd/fuse-report g))))))
        (is (= [] (:steps (first (nd/fuse-report g)))))))
    (testing "what is written is written once"
      (let [n (nd/item counter), f (nd/fuse (fn [x] (nd/add! counter 1.0) (nd/sin x)))]
        (f x)
        (f x)
        (is (= (+ n 2) (nd/item counter)))))
    (testing "rules of one's own are kept"
      (is (same? (nd/* 2.0 (nd/ones [2])) ((nd/grad (fn [x] (nd/sum ((nd/fuse own) x)))) x))))
    (testing "errors are the function's"
      (is (thrown-with-msg? ShapeException #"add" ((nd/fuse (fn [x] (nd/+ x (nd/ones [3])))) x)))
      (is (thrown? ArgumentException (nd/fuse-report nd/sin)))
      (is (thrown? ArgumentException (nd/fuse-report (fn [x] x)))))))

(deftest products-with-0-keep-what-is-not-finite
  (doseq [[f x] [[(fn [x] (nd/sqrt (nd/* (nd/> x 2) x))) [1.0 4.0]]
                 [(fn [x] (nd/sqrt (nd/* 0.0 x))) [1.0]]
                 [(fn [x] (nd/pow (nd/log x) 0)) [0.0 2.0]]]
          :let [derive #(nd/tolist ((nd/grad (comp nd/sum %)) (nd/array x)))]]
    (is (= (str (derive f)) (str (derive (nd/fuse f)))))
    (is (Double/isNaN (first (derive f))))))

(deftest tangents-of-what-is-not-chosen-do-not-arrive
  (doseq [f [(fn [x] (nd/where (nd/> x 0) (nd/sqrt x) 0.0))
             (fn [x] (nd/sum (nd/nan-to-num (nd/sqrt x))))
             (fn [x] (nd/clip (nd/log x) 0.0 1.0))
             (fn [x] (nd/var (nd/where (nd/> x 0) (nd/sqrt x) x)))
             (fn [x] (let [y (nd/lerp (nd/> x 5) (nd/array [0 0]) (nd/array [0 0]))]
                       [y (nd/reciprocal y)]))]
          :let [along #(mapv nd/tolist (flatten (nd/jvp % [(nd/array [-1.0 4.0])] [(nd/ones [2])])))]]
    (is (= (str (along f)) (str (along (nd/fuse f)))))))

(def ^:private ends
  {:float64 [##-Inf -1e300 -1e160 -800.0 -1.0 -1e-310 -0.0 0.0 1e-310 1e-160 0.5 1.0 800.0 1e155 1e300 ##Inf ##NaN]
   :float32 [##-Inf -1e38 -1e20 -100.0 -1.0 -1e-40 -0.0 0.0 1e-40 1e-25 0.5 1.0 100.0 1e20 1e38 ##Inf ##NaN]})

(def ^:private at-the-ends
  [#(nd/* % 0.0) #(nd/* % 1e30) nd/reciprocal nd/exp #(nd/+ 0 %) #(nd/- 0 %) #(nd/neg (nd/- % 0.5)) #(nd/pow % 1.5)
   #(nd// 2 %) nd/silu])

(defn- disagreements
  "Where two arrays differ by more than rounding, or by the sign of an infinity."
  [a b]
  (let [tolerance (if (= :float64 (nd/dtype a)) 1e-12 1e-5)]
    (remove (fn [[^double x ^double y]]
              (or (= x y) (and (NaN? x) (NaN? y))
                  (and (not (infinite? x)) (not (infinite? y)) (<= (abs (- x y)) (* tolerance (abs x))))))
            (map vector (nd/tolist a) (nd/tolist b)))))

(deftest poles-infinities-and-overflow-are-the-same-fused
  (let [slopes (fn [f] (fn [& xs] (apply (nd/grad (fn [& xs] (nd/sum (apply f xs))) {:argnums (vec (range (count xs)))}) xs)))
        tangent (fn [f] (fn [& xs] (second (nd/jvp f (vec xs) (mapv nd/ones-like xs)))))
        same (fn [f & xs]
               (let [fused (nd/fuse f)]
                 (is (empty? (disagreements (apply f xs) (apply fused xs))))
                 (doseq [g [slopes tangent]
                         [a b] (map vector (flat (apply (g f) xs)) (flat (apply (g fused) xs)))]
                   (is (empty? (disagreements a b))))))]
    (doseq [[dtype numbers] ends
            :let [x (nd/array numbers {:dtype dtype})
                  xs (nd/reshape (nd/broadcast-to x [17 17]) [-1])
                  ys (nd/repeat x 17)]
            [i outer] (map-indexed vector (if (= :float64 dtype) at-the-ends (take 3 at-the-ends)))]
      (doseq [[j inner] (map-indexed vector at-the-ends)]
        (testing (str dtype ", " i " of " j)
          (same (comp outer inner) x)))
      (doseq [op (when (< i 3) [nd/* nd// nd/-])]
        (testing (str dtype ", " i " of two")
          (same (fn [x y] (outer (op (nd/neg x) (nd/* 2 y)))) xs ys))))))

(deftest higher-derivatives-are-the-ops-own
  (testing "where the expression of an op overflows or has a kink, and the derivatives it declares don't"
    (doseq [[f xs] [[nd/sigmoid [-800.0 -1.0 0.0 ##-Inf]]
                    [nd/softplus [-800.0 0.0 1.0]]
                    [nd/log-sigmoid [0.0 800.0]]
                    [(fn [x] (nd/logaddexp x (nd/array [1.0 0.5 -2.0]))) [1.0 0.5 3.0]]]
            :let [further #(nd/grad (comp nd/sum %))
                  x (nd/array xs)
                  g (fn [x] (nd/* (f x) 2.0))]
            [order derive] {2 (comp further further), 3 (comp further further further)}]
      (is (same? ((derive g) x) ((derive (nd/fuse g)) x)) (str xs ", derivative " order))
      (is (same? (second (nd/jvp (further g) [x] [(nd/ones-like x)]))
                 (second (nd/jvp (further (nd/fuse g)) [x] [(nd/ones-like x)])))))))

(deftest with-other-transforms
  (let [x (nd/array [[0.3 0.7] [1.1 -0.4]])
        f (fn [x] (nd/sum (gelu x)))]
    (testing "inside each other"
      (is (same? (f x) ((nd/fuse (fn [x] (nd/sum ((nd/fuse gelu) x)))) x)))
      (is (same? ((nd/grad f) x) ((nd/fuse (nd/grad (nd/fuse f))) x)))
      (is (same? ((nd/hessian f) x) ((nd/fuse (nd/hessian f)) x)))
      (is (same? ((nd/vmap gelu) x) ((nd/fuse (nd/vmap gelu)) x)))
      (is (same? ((nd/grad (nd/grad (fn [x] (nd/sin (nd/* x x))))) 0.7)
                 ((nd/fuse (nd/grad (nd/grad (fn [x] (nd/sin (nd/* x x)))))) (nd/array 0.7))))
      (is (same? ((nd/grad f) x) ((nd/grad (nd/checkpoint (nd/fuse f))) x)))
      (is (same? ((nd/grad f) x) ((nd/grad (nd/fuse (nd/checkpoint f))) x))))
    (testing "an array of an outer transform must be an argument"
      (is (same? ((nd/grad (fn [w] (nd/sum (nd/* w (nd/sin w))))) x)
                 ((nd/grad (fn [w] (nd/sum ((nd/fuse (fn [x] (nd/* w x))) (nd/sin w))))) x)))
      (is (same? (nd/jvp (fn [w] (nd/* w 2.0)) [x] [x])
                 (nd/jvp (fn [w] ((nd/fuse (fn [a] (nd/* w a))) (nd/array 2.0))) [x] [x]))))))

(deftest many-arguments
  (let [xs (mapv #(nd/requires-grad! (nd/full [2] (double %)) true) (range 100))
        f (nd/fuse (fn [xs] (nd/sum (reduce nd/+ (map nd/sin xs)))))]
    (nd/backward! (f xs))
    (is (= 1 (count (nd/fuse-report f))))
    (is (every? #(same? (nd/cos (nd/detach %)) (nd/grad-of %)) xs))
    (testing "of which one less asks for a gradient"
      (f (update xs 99 nd/detach))
      (is (= 2 (count (nd/fuse-report f))))))
  (let [masks (mapv #(nd/> (nd/arange 5) %) (range 70))
        f (fn [x masks] (nd/where (reduce nd/logical-or masks) (nd/* x 2.0) (nd/sin x)))]
    (is (same? ((nd/grad (fn [x] (nd/sum (f x masks)))) (nd/ones [5]))
               ((nd/grad (fn [x] (nd/sum ((nd/fuse f) x masks)))) (nd/ones [5]))))))

(deftest many-threads
  (let [f (nd/fuse gelu)
        found (mapv (fn [n] (future (f (nd/full [(inc (mod n 5))] 0.5)))) (range 40))]
    (is (every? #(same? (gelu (nd/full (nd/shape @%) 0.5)) @%) found))))

(defn -main
  "Tries more random programs: bin/clj -M:repl -m ndgrad.fuse-test 10000"
  [n]
  (let [{:keys [pass? shrunk]} (tc/quick-check (parse-long n) the-same-fused)]
    (println (if pass? "all the same" (str "differs: " (pr-str (:smallest shrunk)))))
    (shutdown-agents)))
