(ns ndgrad.op.matrix.lifted
  "Rows about ops inside functional transforms: tangents against cotangents and differences, batches
  against a loop, and each within the other."
  (:require
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors])
  (:import
   (java.util List)
   (ndgrad GraphException NdException)
   (ndgrad.autograd Lift Lift$Batched Lift$Dual Tensor)
   (ndgrad.op Reverse)
   (ndgrad.op.matrix.samples Arr)
   (ndgrad.op.spec Spec$Result)))

(set! *warn-on-reflection* true)

(def ^:private batch-size 3)

(defn- dtype-of [tag _] (case tag :x "float64" :i "int64" :b "bool"))

(defn- examples
  "Cases of one line that differ in their numbers only."
  [op line]
  (mapv #(assoc (samples/instantiate op line [line %] dtype-of nil) :op op :line line)
        (range batch-size)))

(defn- inputs [c] (sort-by :input (samples/arrays c)))

(defn- random-tensor ^Tensor [shape seed]
  (let [roll (samples/generator seed)]
    (tensors/tensor
     (samples/->Arr "float64" (vec shape)
                    (vec (repeatedly (reduce * shape) #(+ -1.0 (/ (double (roll 512)) 256.0))))
                    0 :x nil))))

(defn- call
  "The results of a case whose arrays are made by `make`."
  [c make]
  (tensors/results (tensors/call c make)))

(defn- attempt [thunk] (try (thunk) (catch NdException e e)))
(defn- thrown? [r] (instance? Throwable r))

;; ---- tangents -------------------------------------------------------------------------------

(defn- lift-of [^Tensor t] (.orElse (.lift t) nil))

(defn- peeled
  "[value tangent] of a result at a level; the tangent is nil where there is none."
  [^Tensor t level]
  (let [l (lift-of t)]
    (if (and l (= level (.level t)))
      [(.primal ^Lift$Dual l) (.tangent ^Lift$Dual l)]
      [t nil])))

(defn- directions [c seed]
  (into {} (for [^Arr a (inputs c) :when (samples/floating? (:dtype a))]
             [(:input a) (random-tensor (:shape a) [seed (:input a)])])))

(defn- duals
  "[values tangents] of a case along directions; `make` gives the tensors of arrays."
  ([c vs] (duals c vs tensors/tensor))
  ([c vs make]
   (let [level (Lift/newLevel)
         out (call c (fn [^Arr a]
                       (let [^Tensor t (make a)]
                         (if-let [v (get vs (:input a))] (Tensor/lifted (Lift$Dual. level t v)) t))))
         pairs (map #(peeled % level) out)]
     [(mapv first pairs) (mapv second pairs)])))

(defn- dot ^double [a b] (reduce + 0.0 (map * (tensors/values a) (tensors/values b))))

(defn- close? [a b tolerance]
  (tensors/close? a b 0.0 (* (double tolerance) (max 1.0 (Math/abs (double a))))))

(defn- same-values? [a b tolerance]
  (and (= (tensors/shape a) (tensors/shape b))
       (= (tensors/dtype a) (tensors/dtype b))
       (let [scale (max 1.0 (double (tensors/magnitude (tensors/values a))))]
         (every? true? (map #(tensors/close? %1 %2 0.0 (* (double tolerance) scale))
                            (tensors/values a) (tensors/values b))))))

(defn- shifted [c vs ^double h]
  (call c (fn [^Arr a]
            (tensors/tensor
             (if-let [v (get vs (:input a))]
               (assoc a :elements (mapv (fn [x d] (+ (double x) (* h (double d))))
                                        (:elements a) (tensors/values v)))
               a)))))

(defn- transposed
  "The gradients of the inputs for cotangents of the floating results."
  [c us make create?]
  (let [made (atom {})
        out (call c (fn [^Arr a]
                      (let [^Tensor t (make a)]
                        (when (.isFloating (.dtype t)) (.requireGrad t true))
                        (swap! made assoc (:input a) t)
                        t)))
        live (filter (fn [[^Tensor y]] (.requiresGrad y)) (map vector out us))
        targets (sort-by key (filter (fn [[_ ^Tensor t]] (.requiresGrad t)) @made))]
    (zipmap (map key targets)
            (if (seq live)
              (Reverse/gradients ^List (mapv first live) ^List (mapv second live)
                                 ^List (mapv val targets) true (boolean create?))
              (repeat nil)))))

(defn- inner [gs vs]
  (reduce + 0.0 (for [[i g] gs :when g] (dot g (vs i)))))

(defn- cotangents [ys seed]
  (vec (map-indexed (fn [i y] (random-tensor (tensors/shape y) [seed :u i])) ys)))

(defn tangent-problem
  "What is wrong with the tangents of a case: their values are the function's, they agree with
  differences, and ⟨u, Jv⟩ = ⟨Jᵀu, v⟩."
  [c]
  (let [plain (call c tensors/tensor)
        vs (directions c :v)
        [ys ts] (duals c vs)
        us (cotangents plain :t)
        h (/ 1.0 4096)
        at (into {} (for [k [-2 -1 1 2]] [k (shifted c vs (* h (double k)))]))
        slope (fn [i k] (let [at* (fn [m] (double (nth (tensors/values (nth (at m) i)) k)))]
                          (/ (+ (- (at* -2) (at* 2)) (* 8.0 (- (at* 1) (at* -1)))) (* 12.0 h))))
        forward (reduce + 0.0 (map (fn [u t] (if t (dot u t) 0.0)) us ts))
        reverse (inner (transposed c us tensors/tensor false) vs)]
    (or (some identity
              (for [[i p y t] (map vector (range) plain ys ts)]
                (cond
                  (not (same-values? p y 1e-13)) (str "result " i " differs when it has a tangent")
                  (and t (not= (tensors/shape t) (tensors/shape y)))
                  (str "tangent " i " has shape " (tensors/shape t) ", the result " (tensors/shape y))
                  (and t (not= (tensors/dtype t) (tensors/dtype y)))
                  (str "tangent " i " is " (tensors/dtype t) ", the result " (tensors/dtype y))
                  (samples/floating? (tensors/dtype y))
                  (some (fn [k]
                          (let [d (slope i k), v (if t (double (nth (tensors/values t) k)) 0.0)]
                            (when-not (close? d v 1e-6)
                              (str "tangent " i ", element " k " is " v ", differences say " d))))
                        (range (count (tensors/values y)))))))
        (when-not (close? forward reverse 1e-9)
          (str "⟨u, Jv⟩ is " forward ", ⟨Jᵀu, v⟩ is " reverse)))))

(defn mixed-problem
  "Forward over reverse against reverse over reverse: the derivative of ⟨Jᵀu, w⟩ along v."
  [c]
  (let [plain (call c tensors/tensor)
        us (cotangents plain :m)
        vs (directions c :v)
        ws (directions c :w)
        level (Lift/newLevel)
        forward (transposed c us (fn [^Arr a]
                                   (let [t (tensors/tensor a)]
                                     (if-let [v (get vs (:input a))] (Tensor/lifted (Lift$Dual. level t v)) t)))
                            false)
        by-dual (reduce + 0.0 (for [[i g] forward :when g
                                    :let [t (second (peeled g level))] :when t]
                                (dot t (ws i))))
        made (atom {})
        graph (transposed c us (fn [^Arr a] (let [t (tensors/tensor a)] (swap! made assoc (:input a) t) t)) true)
        live (filter (fn [[_ ^Tensor g]] (and g (.requiresGrad g))) graph)
        targets (filter (fn [[_ ^Tensor t]] (.requiresGrad t)) @made)
        again (if (seq live)
                (zipmap (map key targets)
                        (Reverse/gradients ^List (mapv val live) ^List (mapv #(ws (key %)) live)
                                           ^List (mapv val targets) true false))
                {})
        by-tape (inner again vs)]
    (when-not (close? by-tape by-dual 1e-8)
      (str "forward over reverse gives " by-dual ", reverse over reverse " by-tape))))

;; ---- batches --------------------------------------------------------------------------------

(defn- stacked
  "The arrays of the same input of several cases along a new first axis."
  ^Tensor [arrs]
  (let [a (first arrs)]
    (tensors/tensor (assoc a :shape (vec (cons (count arrs) (:shape a)))
                           :elements (into [] (mapcat :elements) arrs)))))

(defn- with-arrays
  "The first case with the arrays of the i-th for the inputs in `own`."
  [cs own i]
  (let [c (first cs)
        arrays (into {} (for [a (inputs (nth cs i)) :when (own (:input a))] [(:input a) a]))
        swap (fn swap [v]
               (cond (instance? Arr v) (get arrays (:input v) v)
                     (vector? v) (mapv swap v)
                     :else v))]
    (-> c (update :positional swap) (update :options update-vals swap)
        (update :named (fn [n] (mapv (fn [[p v]] [p (swap v)]) n))))))

(defn- batcher
  "A function from arrays to tensors: inputs in `own` are batches of all cases."
  [cs own level]
  (let [physical (into {} (for [a (inputs (first cs)) :when (own (:input a))]
                            [(:input a)
                             (stacked (map (fn [c] (first (filter #(= (:input a) (:input %)) (inputs c))))
                                           cs))]))]
    (fn [^Arr a]
      (if-let [p (physical (:input a))]
        (Tensor/lifted (Lift$Batched. level p))
        (tensors/tensor a)))))

(defn- example-of
  "Example b of a result at a level."
  ^Tensor [^Tensor t level b]
  (let [l (lift-of t)]
    (if (and l (= level (.level t)))
      (let [^Tensor p (.physical ^Lift$Batched l)]
        (Tensor. (.with (.strided p) (.select (.layout p) (int 0) (long b)))))
      t)))

(defn- differing
  "What differs between the examples of batched results and results of a loop."
  [what batched level loop-results]
  (some identity
        (for [[b rs] (map-indexed vector loop-results)
              [i y r] (map vector (range) batched rs)
              :let [e (when y (example-of y level b))]]
          (cond
            (and (nil? e) (nil? r)) nil
            (or (nil? e) (nil? r)) (str what " " i " of example " b " is " e ", in the loop " r)
            (not (same-values? r e 1e-11))
            (str what " " i " of example " b " is " (tensors/values e) " " (tensors/shape e)
                 " " (tensors/dtype e) ", in the loop " (tensors/values r) " " (tensors/shape r)
                 " " (tensors/dtype r))))))

(defn- choices
  "Which inputs have examples of their own: all, and each alone."
  [c]
  (let [all (set (map :input (inputs c)))]
    (distinct (cons all (map hash-set (sort all))))))

(defn- host-problem
  "A value of the host that depends on the examples' values must be refused."
  [cs own]
  (let [f #(tensors/call %1 %2)
        expected (map #(f (with-arrays cs own %) tensors/tensor) (range batch-size))
        r (attempt #(f (first cs) (batcher cs own (Lift/newLevel))))]
    (when-not (or (thrown? r) (every? #(= r %) expected))
      (str "gives " r " for a whole batch, its examples " (vec expected)))))

(defn- batch-problem [cs own]
  (let [level (Lift/newLevel)
        expected (mapv #(attempt (fn [] (call (with-arrays cs own %) tensors/tensor))) (range batch-size))
        r (attempt #(call (first cs) (batcher cs own level)))
        bad (first (filter thrown? expected))]
    (cond
      bad (when-not (thrown? r) (str "gives a result where an example throws " bad))
      (apply not= (map #(map tensors/shape %) expected))
      (when-not (thrown? r) "gives a result where examples have different shapes")
      (thrown? r) (when-not (and (instance? GraphException r) (= "unique" (samples/op-name (:op (first cs)))))
                    (str "throws " r))
      :else (differing "result" r level expected))))

(def ^:private shaped-by-values
  "Ops whose shapes depend on values; a batch has the results only where they agree, or never."
  #{"nonzero" "argwhere" "unique" "masked-select"})

(defn- gradient-problem
  "The gradients of each example, taken inside the batch and through the batch, against a loop."
  [cs own]
  (let [ys (call (first cs) tensors/tensor)
        us (cotangents ys :b)
        expected (mapv #(transposed (with-arrays cs own %) us tensors/tensor false) (range batch-size))
        ks (sort (keys (first expected)))
        pick (fn [gs] (mapv gs ks))
        level (Lift/newLevel)
        inside (transposed (first cs) us (batcher cs own level) false)]
    (differing "gradient" (pick inside) level (map pick expected))))

(defn- dual-problem
  "Tangents in a batch against a loop, both ways round."
  [cs own]
  (let [vs (directions (first cs) :v)
        expected (mapv #(second (duals (with-arrays cs own %) vs)) (range batch-size))
        level (Lift/newLevel)
        [_ inside] (duals (first cs) vs (batcher cs own level))
        outer (Lift/newLevel)
        level2 (Lift/newLevel)
        outside (call (first cs)
                      (fn [^Arr a]
                        (let [^Tensor t ((batcher cs own level2) a)
                              l (lift-of t)
                              v (vs (:input a))]
                          (cond
                            (nil? v) t
                            l (let [p (.physical ^Lift$Batched l)
                                    dv (stacked (repeat batch-size
                                                        (samples/->Arr "float64" (tensors/shape v)
                                                                       (tensors/values v) 0 :x nil)))]
                                (Tensor/lifted (Lift$Batched. level2 (Tensor/lifted (Lift$Dual. outer p dv)))))
                            :else (Tensor/lifted (Lift$Dual. outer t v))))))
        tangents (mapv (fn [^Tensor y]
                         (let [l (lift-of y)]
                           (if (and l (= level2 (.level y)))
                             (let [[_ t] (peeled (.physical ^Lift$Batched l) outer)]
                               (when t (Tensor/lifted (Lift$Batched. level2 t))))
                             (second (peeled y outer)))))
                       outside)]
    (or (differing "tangent of a dual batch" inside level expected)
        (differing "tangent of a batch of duals" tangents level2 expected))))

(defn- empty-problem
  "A batch of no examples gives none, of the right shape and dtype, or a clear error."
  [c]
  (let [level (Lift/newLevel)
        expected (attempt #(call c tensors/tensor))
        r (attempt #(call c (fn [^Arr a]
                              (Tensor/lifted
                               (Lift$Batched. level (tensors/tensor
                                                     (assoc a :shape (vec (cons 0 (:shape a))) :elements [])))))))]
    (when-not (or (thrown? r) (thrown? expected))
      (some (fn [[e ^Tensor y]]
              (when-not (and (= (tensors/shape e) (tensors/shape y)) (= (tensors/dtype e) (tensors/dtype y)))
                (str "without examples it has shape " (tensors/shape y) " " (tensors/dtype y)
                     ", expected " (tensors/shape e) " " (tensors/dtype e))))
            (map vector expected r)))))

;; ---- rows -----------------------------------------------------------------------------------

(defn- row [op line what thunk]
  {:op op, :line line, :what what
   :problem (try (thunk) (catch Throwable e (str "throws " e " " (first (.getStackTrace e)))))})

(defn- finite? [v] (or (boolean? v) (Double/isFinite (double v))))

(def ^:private steps-anywhere
  "Lines whose results jump at places that the domain does not name."
  #{"#x [2 3] {:decimals 2}" "#x [] {:decimals 1}"})

(defn- smooth? [op c]
  (and (empty? (.nonDifferentiable (samples/spec op)))
       (not (steps-anywhere (:line c)))
       (some #(= :x (:tag %)) (inputs c))
       (let [r (attempt #(call c tensors/tensor))]
         (and (not (thrown? r))
              (some #(samples/floating? (tensors/dtype %)) r)
              (every? finite? (mapcat tensors/values r))))))

(defn rows
  "Every row of an op."
  [op]
  (for [line (samples/lines op)
        :let [cs (examples op line)
              c (first cs)]
        :when (seq (inputs c))
        row (concat
             (for [own (choices c)]
               (row op line [:batch own] (if (= Spec$Result/BOOLEAN (.gives (samples/spec op)))
                                           #(host-problem cs own)
                                           #(batch-problem cs own))))
             (when-not (shaped-by-values (samples/op-name op))
               [(row op line :empty-batch #(empty-problem c))])
             (when (smooth? op c)
               (cons (row op line :tangents #(tangent-problem c))
                     (cons (row op line :forward-over-reverse #(mixed-problem c))
                           (when-not (shaped-by-values (samples/op-name op))
                             (for [own (choices c)
                                   [what f] [[:batch-of-gradients gradient-problem]
                                             [:batch-and-tangents dual-problem]]]
                               (row op line [what own] #(f cs own))))))))]
    row))
