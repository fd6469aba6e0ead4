(ns ndgrad.properties-test
  "Properties where a table would be too small, against models written on nested vectors. A failure
  prints the smallest call that fails and the seed."
  (:require
   [clojure.test.check.clojure-test :refer [defspec]]
   [clojure.test.check.generators :as gen]
   [clojure.test.check.properties :as prop]
   [ndgrad.core :as nd])
  (:import
   (ndgrad ShapeException)))

(set! *warn-on-reflection* true)

;; ---- models ---------------------------------------------------------------------------------

(defn- positions
  "Every index of a shape, in row-major order."
  [shape]
  (reduce (fn [heads n] (for [h heads, i (range n)] (conj h i))) [[]] shape))

(defn- build
  "Nested vectors of a shape from a function of the index."
  ([shape f] (build shape f []))
  ([shape f at]
   (if (empty? shape)
     (f at)
     (mapv #(build (rest shape) f (conj at %)) (range (first shape))))))

(defn- broadcast-shapes
  "The common shape by the definition: aligned at the right, each length 1 or the common one; nil
  when there is none."
  [shapes]
  (let [rank (reduce max 0 (map count shapes))
        padded (map #(concat (repeat (- rank (count %)) 1) %) shapes)
        columns (if (zero? rank) [] (apply map vector padded))
        lengths (map #(distinct (remove #{1} %)) columns)]
    (when (every? #(<= (count %) 1) lengths)
      (mapv #(first (concat % [1])) lengths))))

(defn- stretched
  "The element of nested vectors that an index of the broadcast shape means."
  [nested shape at]
  (get-in nested (mapv #(if (= 1 %1) 0 %2) shape (take-last (count shape) at))))

;; ---- generators -----------------------------------------------------------------------------

(def ^:private a-length
  (gen/frequency [[2 (gen/return 1)] [6 (gen/choose 2 4)] [1 (gen/return 0)]]))

(def ^:private a-shape (gen/vector a-length 0 4))

(defn- shape-like
  "A shape that broadcasts with another most of the time."
  [shape]
  (gen/let [drop-n (gen/choose 0 (count shape))
            kept (apply gen/tuple (for [n (drop drop-n shape)]
                                    (gen/frequency [[6 (gen/return n)]
                                                    [3 (gen/return 1)]
                                                    [1 (gen/choose 2 3)]])))]
    (vec kept)))

(defn- elements [shape]
  (gen/fmap (fn [vs] (let [strides (reductions * 1 (reverse shape))
                           strides (vec (reverse (butlast strides)))]
                       (build shape (fn [at] (nth vs (reduce + (map * at strides)))))))
            (gen/vector (gen/fmap #(/ (double %) 8.0) (gen/choose -40 40)) (reduce * 1 shape))))

(def ^:private layouts
  "The same elements laid out otherwise."
  {:row-major identity
   :transposed (fn [x] (nd/transpose (nd/copy (nd/transpose x))))
   :reversed (fn [x] (if (zero? (nd/ndim x)) x (nd/flip (nd/copy (nd/flip x)))))
   :stepped (fn [x] (if (zero? (nd/ndim x))
                      x
                      (let [x2 (nd/repeat x 2 {:axis 0})]
                        (nd/get x2 (nd/slice nil nil 2)))))})

(defn- array
  "An array of a shape, with its nested vectors and the name of its layout."
  [shape]
  (gen/let [nested (elements shape)
            layout (gen/elements (keys layouts))]
    {:shape shape
     :nested nested
     :layout layout
     :array (-> (nd/array (vec (flatten [nested])) {:dtype :float64})
                (nd/reshape shape)
                ((layouts layout)))}))

(def ^:private a-group
  (gen/let [shape a-shape
            shapes (gen/vector (shape-like shape) 1 2)
            order (gen/shuffle (cons shape shapes))]
    (apply gen/tuple (map array order))))

;; ---- broadcasting ---------------------------------------------------------------------------

(defn- attempt [f]
  (try (f) (catch ShapeException e e)))

(defspec broadcasting-follows-its-definition 200
  (prop/for-all [group a-group]
    (let [shape (broadcast-shapes (map :shape group))
          r (attempt #(reduce nd/+ (map :array group)))]
      (if shape
        (and (= shape (nd/shape r))
             (= (nd/tolist r)
                (build shape (fn [at]
                               (reduce + (map #(stretched (:nested %) (:shape %) at) group))))))
        (instance? ShapeException r)))))

(defspec gradients-of-broadcasting-sum-over-what-was-stretched 100
  (prop/for-all [group (gen/such-that #(broadcast-shapes (map :shape %)) a-group 100)]
    (let [shape (broadcast-shapes (map :shape group))
          leaves (mapv #(nd/requires-grad! (nd/copy (:array %)) true) group)
          uses (fn [own]
                 (frequencies (for [at (positions shape)]
                                (mapv #(if (= 1 %1) 0 %2) own (take-last (count own) at)))))]
      (nd/backward! (nd/sum (reduce nd/+ leaves)))
      (every? true? (map (fn [leaf {own :shape}]
                           (= (nd/tolist (nd/grad-of leaf))
                              (let [n (uses own)] (build own (fn [at] (double (n at 0)))))))
                         leaves group)))))

(defspec broadcast-to-repeats-elements 100
  (prop/for-all [[x target] (gen/let [shape a-shape
                                      small (shape-like shape)
                                      x (array small)]
                              [x shape])]
    (let [fits? (= target (broadcast-shapes [(:shape x) target]))
          r (attempt #(nd/broadcast-to (:array x) target))]
      (if fits?
        (= (nd/tolist r) (build target (fn [at] (stretched (:nested x) (:shape x) at))))
        (instance? ShapeException r)))))

;; ---- reductions -----------------------------------------------------------------------------

(def ^:private reductions-by-name
  {:sum [nd/sum #(reduce + 0.0 %)]
   :prod [nd/prod #(reduce * 1.0 %)]
   :max [nd/max #(when (seq %) (reduce max %))]
   :min [nd/min #(when (seq %) (reduce min %))]
   :mean [nd/mean #(/ (reduce + 0.0 %) (double (count %)))]
   :var [nd/var #(let [n (double (count %)), m (/ (reduce + 0.0 %) n)]
                   (/ (reduce + 0.0 (map (fn [v] (* (- v m) (- v m))) %)) n))]
   :all [nd/all (fn [vs] (every? #(not (== 0.0 %)) vs))]
   :any [nd/any (fn [vs] (boolean (some #(not (== 0.0 %)) vs)))]
   :count-nonzero [nd/count-nonzero (fn [vs] (count (remove #(== 0.0 %) vs)))]})

(defn- reduce-axes
  "[shape nested] of a reduction by its definition."
  [f nested shape axes keepdims]
  (let [kept? (complement (set axes))
        kept (fn [at] (vec (keep-indexed #(when (kept? %1) %2) at)))
        groups (group-by kept (positions shape))
        out-shape (if keepdims (vec (map-indexed #(if (kept? %1) %2 1) shape)) (kept shape))]
    [out-shape
     (build out-shape (fn [at] (f (map #(get-in nested %) (groups (if keepdims (kept at) at))))))]))

(defn- close? [e a]
  (cond
    (vector? e) (and (= (count e) (count a)) (every? true? (map close? e a)))
    (and (number? e) (number? a)) (let [e (double e), a (double a)]
                                    (or (= e a) (and (NaN? e) (NaN? a))
                                        (<= (abs (- e a)) (* 1e-12 (max 1.0 (abs e))))))
    :else (= e a)))

(def ^:private a-reduction
  (gen/let [shape a-shape
            x (array shape)
            which (gen/vector gen/boolean (count shape))
            negative (gen/vector gen/boolean (count shape))
            order (gen/shuffle (range (count shape)))
            all? (gen/frequency [[1 (gen/return true)] [3 (gen/return false)]])
            keepdims gen/boolean
            op (gen/elements (keys reductions-by-name))]
    (let [axes (vec (filter which order))]
      (assoc x
             :op op :keepdims keepdims
             :axes (if all? (range (count shape)) axes)
             :axis (when-not all? (mapv #(if (negative %) (- % (count shape)) %) axes))))))

(defspec reductions-follow-their-definitions 400
  (prop/for-all [{:keys [op array nested shape axes axis keepdims]} a-reduction]
    (let [[f model] (reductions-by-name op)
          nothing? (and (#{:max :min} op) (zero? (reduce * 1 (map shape axes))))
          r (attempt #(f array {:axis axis :keepdims keepdims}))]
      (if (and nothing? (instance? ShapeException r))
        true
        (let [[out-shape expected] (reduce-axes model nested shape axes keepdims)]
          (and (or (not nothing?) (some zero? out-shape))
               (= out-shape (nd/shape r))
               (close? expected (nd/tolist r))))))))

(defspec gradients-of-sums-are-spread-over-the-reduced-axes 100
  (prop/for-all [{:keys [array shape axis keepdims]} a-reduction]
    (let [x (nd/requires-grad! (nd/copy array) true)
          y (nd/sum x {:axis axis :keepdims keepdims})
          u (nd/reshape (nd/arange (double (nd/size y))) (nd/shape y))]
      (nd/backward! y u)
      (let [spread (nd/sum (nd/* (nd/grad-of x) 1.0) {:axis axis :keepdims keepdims})
            n (if (zero? (nd/size y)) 0 (quot (nd/size x) (nd/size y)))]
        (and (= shape (nd/shape (nd/grad-of x)))
             (close? (nd/tolist (nd/* u (double n))) (nd/tolist spread)))))))
