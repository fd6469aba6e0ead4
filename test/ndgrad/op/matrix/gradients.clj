(ns ndgrad.op.matrix.gradients
  "Rows about gradients: first and second order against differences in float64; shapes and dtypes of
  gradients; the same under every layout; ops without a gradient are not recorded."
  (:require
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.op.matrix.values :as values])
  (:import
   (java.util List)
   (ndgrad NdException)
   (ndgrad.autograd Tensor)
   (ndgrad.op Reverse)
   (ndgrad.op.matrix.samples Arr)
   (ndgrad.op.spec Elementwise Op)))

(set! *warn-on-reflection* true)

(def tolerance
  "How far a gradient may be from differences, relative to the larger of 1 and the gradients. The
  differences are of fourth order with a step of about 2^-10: their error is about 1e-10 for smooth
  functions of size 1, more close to a pole."
  {1 1e-6, 2 1e-5})

;; ---- cases ----------------------------------------------------------------------------------

(def rough
  "Samples whose kinks are not those that the op declares, and where they are."
  {["round" "#x [2 3] {:decimals 2}"] "odd multiples of 0.005"})

(def for-shape-only
  "Ops whose first array gives no more than shape and dtype, and so gets no gradient."
  {"fill" "its elements are overwritten", "full-like" "it is a pattern"})

(defn- promoted
  "Host doubles that stand for arrays, as 0-d arrays: a gradient flows into them too."
  [c]
  (let [seen (volatile! (count (samples/arrays c)))
        turn (fn [op [p v]]
               [p (if (and (= :array (samples/kind p))
                           (or (instance? Double v)
                               (and (int? v) (instance? Elementwise op)))
                           (not (Double/isInfinite (double v)))
                           (not (Double/isNaN (double v))))
                    (samples/->Arr "float64" [] [(double v)] (dec (- (long (vswap! seen inc))))
                                   :x (/ 1.0 256))
                    v)])
        named (mapv #(turn (:op c) %) (:named c))
        values (into {} (map (fn [[^ndgrad.op.spec.Param p v]] [(.name p) v])) named)]
    (assoc c
           :named named
           :positional (mapv second (take (count (:positional c)) named))
           :options (into {} (map (fn [[k v]] [k (get values k v)])) (:options c)))))

(defn- drawn [c] (filter #(= :x (:tag %)) (samples/arrays c)))

(defn cases
  "The cases of an op with float64 inputs."
  [op]
  (for [c (samples/cases op)
        :when (and (= "float64" (:variant c))
                   (seq (drawn c))
                   (not (rough [(samples/op-name op) (:line c)])))
        :let [c (promoted c)]]
    c))

;; ---- calls with chosen leaves ---------------------------------------------------------------

(defn- seeded
  "A fixed float64 tensor of a shape, all elements between 0.5 and 1.5 in size."
  ^Tensor [shape seed dtype]
  (let [roll (samples/generator seed)
        n (long (reduce * shape))]
    (tensors/of dtype shape (repeatedly n #(* (if (zero? (long (roll 2))) -1.0 1.0)
                                              (+ 0.5 (/ (double (roll 256)) 256.0)))))))

(defn- run
  "[results {input tensor}] of a case; `elements` overrides those of inputs, `tracked?` says which
  inputs require a gradient."
  [c elements tracked? layout]
  (let [made (atom (sorted-map))
        make (fn [^Arr a]
               (let [a (if-let [e (get elements (:input a))] (assoc a :elements e) a)
                     ^Tensor t (tensors/tensor a (if (and (= layout :broadcast) (empty? (:shape a)))
                                                   :contiguous
                                                   layout))]
                 (when (and (tracked? a) (samples/floating? (:dtype a))) (.requireGrad t true))
                 (swap! made assoc (:input a) t)
                 t))]
    [(tensors/results (tensors/call c make)) @made]))

(defn- tracked-results [rs] (filterv #(.requiresGrad ^Tensor %) rs))

(defn- gradients
  "Gradients of outputs for cotangents; zeros where an input doesn't matter."
  [outs upstream ins create?]
  (let [gs (Reverse/gradients ^List outs ^List upstream ^List ins true (boolean create?))]
    (mapv (fn [g ^Tensor i]
            (or g (tensors/of (tensors/dtype i) (tensors/shape i) (repeat (.size i) 0.0))))
          gs ins)))

(defn- projection ^double [rs us]
  (reduce + 0.0 (mapcat (fn [r u] (map * (tensors/values r) (tensors/values u))) rs us)))

(defn- difference
  "The derivative of f at x, by differences of fourth order."
  ^double [f ^double x ^double h]
  (let [at (fn [k] (double (f (+ x (* (double k) h)))))]
    (/ (+ (- (double (at -2)) (double (at 2))) (* 8.0 (- (double (at 1)) (double (at -1)))))
       (* 12.0 h))))

(defn- numeric
  "Derivatives of (f {input elements}) with respect to each element of an array."
  [f ^Arr a]
  (let [h (/ (double (or (:step a) (/ 1.0 256))) 4.0)
        base (:elements a)]
    (mapv (fn [i]
            (difference (fn [v] (f {(:input a) (assoc base i v)})) (nth base i) h))
          (range (count base)))))

(defn- mismatch
  "What differs between an array's gradient and differences."
  [what order expected ^Tensor actual a]
  (let [actual-values (tensors/values actual)
        scale (max 1.0 (double (tensors/magnitude expected)))
        abs (* (double (tolerance order)) scale)
        bad (first (filter (fn [[_ e v]] (not (tensors/close? e v 0.0 abs)))
                           (map vector (range) expected actual-values)))]
    (cond
      (not= (tensors/shape actual) (:shape a))
      (str what " of input " (:input a) " has shape " (tensors/shape actual)
           " instead of " (:shape a))
      (not= (tensors/dtype actual) (:dtype a))
      (str what " of input " (:input a) " is " (tensors/dtype actual))
      bad (let [[i e v] bad]
            (str what " of input " (:input a) ", element " i " is " v ", differences say " e)))))

;; ---- first order ----------------------------------------------------------------------------

(defn- cotangents
  "What to multiply outputs with: basis vectors when there are few elements, else one at random."
  [rs]
  (let [shapes (map tensors/shape rs)
        sizes (map #(long (reduce * %)) shapes)
        total (long (reduce + sizes))]
    (if (<= total 12)
      (for [k (range total)]
        (loop [out [], k k, [s & more] shapes]
          (if (nil? s)
            out
            (let [n (long (reduce * s))]
              (recur (conj out (tensors/of s (map #(if (= % k) 1.0 0.0) (range n))))
                     (- k n)
                     more)))))
      [(map-indexed (fn [i s] (seeded s [:cotangent i] "float64")) shapes)])))

(defn- first-order [c]
  (let [[rs ins] (run c {} #(= :x (:tag %)) :contiguous)
        outs (tracked-results rs)
        keep? (mapv #(.requiresGrad ^Tensor %) rs)]
    (some (fn [us]
            (let [leaves (mapv #(get ins (:input %)) (drawn c))
                  gs (gradients outs us leaves false)
                  f (fn [elements]
                      (let [[rs _] (run c elements (constantly false) :contiguous)]
                        (projection (keep-indexed (fn [i r] (when (keep? i) r)) rs) us)))]
              (some (fn [[a g]] (mismatch "gradient" 1 (numeric f a) g a))
                    (map vector (drawn c) gs))))
          (cotangents outs))))

;; ---- second order ---------------------------------------------------------------------------

(defn- weighted-gradient
  "[leaves u G]: G is the sum of the first gradients, each times a fixed tensor."
  [c elements u-elements create?]
  (let [[rs ins] (run c elements #(= :x (:tag %)) :contiguous)
        outs (tracked-results rs)
        us (mapv (fn [i ^Tensor r]
                   (let [u (if (and (zero? (long i)) u-elements)
                             (tensors/of (tensors/shape r) u-elements)
                             (seeded (tensors/shape r) [:cotangent i] "float64"))]
                     (when create? (.requireGrad ^Tensor u true))
                     u))
                 (range) outs)
        leaves (mapv #(get ins (:input %)) (drawn c))
        gs (gradients outs us leaves create?)
        weights (map-indexed (fn [i g] (seeded (tensors/shape g) [:weight i] "float64")) gs)]
    [leaves us gs weights]))

(defn- second-order [c]
  (let [[leaves us gs weights] (weighted-gradient c {} nil true)
        live (filter (fn [[g _]] (.requiresGrad ^Tensor g)) (map vector gs weights))
        targets (conj (vec leaves) (first us))
        hs (if (seq live)
             (gradients (mapv first live) (mapv second live) targets false)
             (gradients [] [] targets false))
        g-of (fn [elements u]
               (let [[_ _ gs weights] (weighted-gradient c elements u false)]
                 (projection gs weights)))
        u0 (first us)
        u-arr (samples/->Arr "float64" (tensors/shape u0) (tensors/values u0) -1 :x (/ 1.0 256))]
    (or (some (fn [[a h]] (mismatch "second gradient" 2 (numeric #(g-of % nil) a) h a))
              (map vector (drawn c) hs))
        (mismatch "gradient of the gradient by the cotangent" 2
                  (numeric (fn [e] (g-of {} (get e -1))) u-arr) (peek hs) u-arr))))

;; ---- other layouts and dtypes ---------------------------------------------------------------

(defn- tape-gradients [c layout]
  (let [[rs ins] (run c {} #(= :x (:tag %)) layout)
        outs (tracked-results rs)
        us (map-indexed (fn [i r] (seeded (tensors/shape r) [:cotangent i] (tensors/dtype r))) outs)
        leaves (keep #(get ins (:input %)) (filter #(samples/floating? (:dtype %)) (drawn c)))]
    [(gradients outs us leaves false) leaves]))

(defn- with-layout
  "The same gradients as without the layout; what is refused there must be refused here."
  [c layout]
  (let [twin (values/contiguous-twin c layout)
        gs (values/attempt #(first (tape-gradients c layout)))
        es (values/attempt #(first (tape-gradients twin :contiguous)))]
    (if (or (values/thrown? gs) (values/thrown? es))
      (when-not (and (instance? NdException es) (= (class gs) (class es)))
        (str "gives " gs " instead of " es))
      (some identity
            (for [[i g e] (map vector (range) gs es)
                  :let [vg (tensors/values g), ve (tensors/values e)
                        abs (* 1e-12 (double (tensors/magnitude ve)))]]
              (when-not (and (= (tensors/shape g) (tensors/shape e))
                             (tensors/all-close? ve vg 1e-12 abs))
                (str "gradient of input " i " is " vg " instead of " ve)))))))

(defn- with-dtypes
  "Gradients have the shape and dtype of their inputs, and about the values that float64 gives."
  [c]
  (let [[gs leaves] (tape-gradients c :contiguous)]
    (some identity
          (for [[i g l] (map vector (range) gs leaves)]
            (when (not= [(tensors/shape g) (tensors/dtype g)] [(tensors/shape l) (tensors/dtype l)])
              (str "the gradient of input " i ", a " (tensors/dtype l)
                   " of shape " (tensors/shape l) ", is a " (tensors/dtype g)
                   " of shape " (tensors/shape g)))))))

(defn- in-float32 [c]
  (let [narrow (fn narrow [v]
                 (cond
                   (and (instance? Arr v) (= :x (:tag v))) (assoc v :dtype "float32")
                   (vector? v) (mapv narrow v)
                   :else v))
        c32 (-> c (update :positional narrow) (update :options update-vals narrow)
                (update :named (fn [n] (mapv (fn [[p v]] [p (narrow v)]) n))))
        [gs _] (tape-gradients c32 :contiguous)
        [es _] (tape-gradients c :contiguous)]
    (or (with-dtypes c32)
        (some identity
              (for [[i g e] (map vector (range) gs es)
                    :let [narrow-values (tensors/values g)
                          wide-values (tensors/values e)
                          abs (* 2e-5 (max 1.0 (double (tensors/magnitude wide-values))))]]
                (when-not (tensors/all-close? wide-values narrow-values 2e-5 abs)
                  (str "float32 gradient of input " i " is " narrow-values
                       " instead of " wide-values)))))))

;; ---- rows -----------------------------------------------------------------------------------

(defn- problem-of [thunk]
  (let [r (values/attempt thunk)]
    (if (values/thrown? r) (str "throws " r) r)))

(defn- row [c what thunk] {:case c, :layout what, :problem (problem-of thunk)})

(defn differentiable?
  "Whether a gradient is promised."
  [^Op op]
  (empty? (.nonDifferentiable (.spec op))))

(defn- floating-results? [c]
  (let [[rs _] (run c {} (constantly false) :contiguous)]
    (and (seq rs) (some #(.isFloating (.dtype ^Tensor %)) rs))))

(defn- untracked [c]
  (let [[rs _] (run c {} #(= :x (:tag %)) :contiguous)]
    (when (seq (tracked-results rs)) "is recorded although it is not differentiable")))

(defn- each-tracked
  "Every input alone makes the result a tracked one."
  [c]
  (some identity
        (for [a (drawn c)
              :when (and (seq (:elements a))
                         (not (and (= 0 (:input a)) (for-shape-only (samples/op-name (:op c))))))]
          (let [[rs _] (run c {} #(= (:input a) (:input %)) :contiguous)]
            (when (empty? (tracked-results rs))
              (str "input " (:input a) " has no rule and the op no reason"))))))

(defn recorded
  "The results of a case that are tracked when all its inputs are."
  [c]
  (tracked-results (first (run c {} #(= :x (:tag %)) :contiguous))))

(defn rows
  "Every row of an op."
  [op]
  (for [[i c] (map-indexed vector (cases op))
        row (if (and (differentiable? op) (floating-results? c))
              (concat
                [(row c :each-input #(each-tracked c))
                 (row c :differences #(first-order c))
                 (row c :float32 #(in-float32 c))]
                (when (and (< (long i) 4)
                        (seq (recorded c))
                        (<= (reduce + (map #(count (:elements %)) (drawn c))) 16))
                  [(row c :second-order #(second-order c))])
                (for [layout (tensors/applicable c)]
                  (row c layout #(with-layout c layout))))
              [(row c :untracked #(untracked c))])]
    row))

(defn mixed-rows
  "Rows about inputs of different dtypes."
  [op]
  (when (differentiable? op)
    (for [c (samples/cases op)
          :when (re-find #"float.*,|,float" (:variant c))]
      (row c :mixed #(with-dtypes c)))))
