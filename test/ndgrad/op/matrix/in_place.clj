(ns ndgrad.op.matrix.in-place
  "Rows about writing: in-place forms give what the op gives, or leave everything as it was;
  programs with them have the gradients of the programs without; a saved value that was changed is
  noticed, a change of an unsaved one does no harm."
  (:require
   [ndgrad.op.matrix.gradients :as gradients]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.op.matrix.values :as values])
  (:import
   (java.lang.reflect Array)
   (java.util List Map)
   (ndgrad MutationException NdException)
   (ndgrad.autograd GradMode Tensor)
   (ndgrad.op Arithmetic Reverse)
   (ndgrad.op.matrix.samples Arr)
   (ndgrad.op.spec Composite InPlace Op View)))

(set! *warn-on-reflection* true)

(defn- row [c what thunk]
  {:case c, :layout what
   :problem (let [r (values/attempt thunk)] (if (values/thrown? r) (str "throws " r) r))})

(defn- target-arr
  "The array that an in-place call writes into; nil where the sample passes none."
  [c]
  (let [a (first (:positional c))] (when (instance? Arr a) a)))

(defn- in-place [c make]
  (let [[positional options] (tensors/call-args c make)]
    (InPlace/call (:op c) options (to-array positional))))

;; ---- the same as out of place ---------------------------------------------------------------

(defn- gaps
  "What the storage holds where the layout has no element."
  [^Tensor t]
  (let [[_ all] (tensors/picture t)
        taken (set (tensors/positions (.layout t)))]
    (into {} (remove (comp taken first)) (map-indexed vector all))))

(defn- agrees [c layout]
  (let [[make made] (tensors/maker layout)
        [make-twin _] (tensors/maker :contiguous)
        twin (values/attempt #(tensors/call (values/contiguous-twin c layout) make-twin))
        _ (tensors/call-args c make)                ; makes the tensors
        target (get (made) (:input (target-arr c)))
        make (fn [a] (get (made) (:input a)))
        before (update-vals (made) tensors/picture)
        gaps-before (gaps target)
        fits? (and (instance? Tensor twin)
                   (= (tensors/dtype twin) (tensors/dtype target))
                   (= (tensors/shape twin) (tensors/shape target))
                   (not (.isBroadcast (.layout ^Tensor target))))
        r (values/attempt #(in-place c make))
        others (dissoc (made) (:input (target-arr c)))]
    (cond
      (some (fn [[i t]] (not= (before i) (tensors/picture t))) others) "another array was changed"
      (not fits?)
      (cond
        (not (instance? NdException r)) (str "gives " r " where the result doesn't fit the array")
        (not= (before (:input (target-arr c))) (tensors/picture target))
        "it failed and changed the array"
        (and (.isBroadcast (.layout ^Tensor target)) (not (values/thrown? twin))
             (not (instance? NdException r)))
        (str "throws " r " for a broadcast array"))
      (values/thrown? r) (str "throws " r)
      (not (identical? r target)) "it doesn't return the array"
      (not= (inc (long (first (before (:input (target-arr c)))))) (tensors/version target))
      (str "the version went from " (first (before (:input (target-arr c))))
           " to " (tensors/version target))
      (not= gaps-before (gaps target)) "elements beside the array were changed"
      (not (if (tensors/exact? (:op c))
             (tensors/same-bits? (tensors/values target) (tensors/values twin))
             (tensors/all-close? (tensors/values twin) (tensors/values target) 1e-12 1e-12)))
      (str "is " (tensors/values target) " instead of " (tensors/values twin)))))

;; ---- tracked --------------------------------------------------------------------------------

(defn- tracked-program
  "Gradients of a program that applies the op to a non-leaf, in place or not."
  [c in-place?]
  (let [leaves (atom (sorted-map))
        nodes (atom {})
        make (fn [^Arr a]
               (or (get @nodes (:input a))
                   (let [^Tensor leaf (tensors/tensor a)
                         target? (= (:input a) (:input (target-arr c)))]
                     (when (= :x (:tag a)) (.requireGrad leaf true))
                     (let [t (if target? (.of Arithmetic/MUL leaf (tensors/of [] [1.0])) leaf)]
                       (swap! leaves assoc (:input a) leaf)
                       (swap! nodes assoc (:input a) t)
                       t))))
        result (if in-place? (in-place c make) (tensors/call c make))
        ins (vec (keep (fn [[_ ^Tensor l]] (when (.requiresGrad l) l)) @leaves))
        u (tensors/ramp result)]
    (mapv (fn [g] (when g (tensors/values g)))
          (Reverse/gradients ^List [result] ^List [u] ^List ins false false))))

(defn- same-gradients [c]
  (let [out-of-place (tracked-program c false)
        inside (tracked-program c true)
        same? (fn [e a]
                (if (and e a)
                  (tensors/all-close? e a 1e-12 1e-12)
                  (every? zero? (or e a))))]
    (when-not (every? true? (map same? out-of-place inside))
      (str "gradients " inside " instead of " out-of-place))))

(defn- fits? [c]
  (let [r (values/attempt #(tensors/call c tensors/tensor))]
    (and (instance? Tensor r) (= (tensors/shape r) (:shape (target-arr c)))
         (= (tensors/dtype r) (:dtype (target-arr c))))))

(defn rows
  "Rows of the in-place form of an op; none where it has none."
  [^Op op]
  (when (.isInPlace (.spec op))
    (concat
      (for [c (samples/cases op)
            :when (target-arr c)
            layout (cons :contiguous (tensors/applicable c))]
        (row c layout #(agrees c layout)))
      (for [c (samples/cases op)
            :when (and (= "float64" (:variant c)) (= :x (:tag (target-arr c))) (fits? c))]
        (row c :tracked #(same-gradients c))))))

;; ---- saved values ---------------------------------------------------------------------------

(def reads-at-times
  "Ops whose rules read more than the samples show, and when: they save it always."
  {"pow" "the exponent where the base is 0"
   "logaddexp" "the other array where the result is infinite"})

(defn- scramble
  "Other elements, written behind the version counter's back."
  [^Tensor t how]
  (let [array (.array (.strided t))
        vs (tensors/values t)
        new (case how
              :negated (map - vs)
              :reversed (reverse vs)
              :halved (map #(/ (double %) 2.0) vs)
              :ones (map (constantly 1.0) vs)
              :nan (map (constantly Double/NaN) vs))]
    (doseq [[at v] (map vector (tensors/positions (.layout t)) new)]
      (if (instance? float/1 array)
        (Array/setFloat array (int at) (float v))
        (Array/setDouble array (int at) (double v))))))

(defn- experiment-outputs
  "What a case records when the inputs in `tracked` require a gradient."
  [c tracked]
  (filter #(.requiresGrad ^Tensor %)
          (tensors/results
            (tensors/call c (fn [^Arr a]
                              (let [^Tensor t (tensors/tensor a)]
                                (when (tracked (:input a)) (.requireGrad t true))
                                t))))))

(defn- experiment
  "Gradients of a case after `change` was given the inputs and outputs, between the call and the
  pass back; the inputs in `tracked` require them."
  [c tracked change]
  (let [made (atom (sorted-map))
        make (fn [^Arr a]
               (let [^Tensor t (tensors/tensor a)]
                 (when (tracked (:input a)) (.requireGrad t true))
                 (swap! made assoc (:input a) t) t))
        rs (tensors/results (tensors/call c make))
        outs (filterv #(.requiresGrad ^Tensor %) rs)
        us (mapv tensors/ramp outs)
        ins (vec (keep (fn [[_ ^Tensor t]] (when (.requiresGrad t) t)) @made))]
    (change @made outs)
    (values/attempt
      #(mapv (fn [g] (when g (tensors/values g)))
             (Reverse/gradients ^List outs ^List us ^List ins false false)))))

(defn- overwrite
  "Changes a tensor in place, as a user would under no-grad: the version counter notices."
  [^Tensor t]
  (let [before (GradMode/set false)]
    (try (InPlace/assign t (tensors/of [] [0.0]) "fill!")
         (finally (GradMode/set before)))))

(defn- saved-rule
  "What is wrong about noticing changes of one value (an input's number, or :out) when some inputs
  are tracked."
  [c tracked which]
  (let [pick (fn [made outs] (if (= which :out) (first outs) (get made which)))
        base (experiment c tracked (fn [_ _]))
        rounded (fn [r] (if (values/thrown? r) r (map #(map tensors/round-off %) r)))
        scrambled (fn [how]
                    (experiment c tracked (fn [made outs] (scramble (pick made outs) how))))
        differs? (some #(not= (rounded base) (rounded (scrambled %)))
                       [:negated :reversed :halved :ones :nan])
        r (experiment c tracked (fn [made outs] (overwrite (pick made outs))))]
    (cond
      (values/thrown? base) (str "throws " base)
      (and differs? (not (instance? MutationException r)))
      (str "the rule reads " which " but a change of it goes unnoticed")
      (and (not differs?) (values/thrown? r) (not (reads-at-times (samples/op-name (:op c)))))
      (str "the rule doesn't read " which " but a change of it gives " r)
      (and (values/thrown? r) (not (instance? Composite (:op c)))
           (not= (samples/op-name (:op c)) (get (.data ^NdException r) "op")))
      (str "the error names " (get (.data ^NdException r) "op")))))

(defn- tracked-sets
  "All inputs that may require a gradient, and each by itself."
  [c]
  (let [inputs (set (map :input (filter #(= :x (:tag %)) (samples/arrays c))))]
    (distinct (cons inputs (map hash-set inputs)))))

(defn- saving-cases
  "Up to three cases of an op that record something, without empty arrays; none for views."
  [op]
  (when (and (gradients/differentiable? op)
             (not (instance? View op))
             (not (contains? values/viewing (samples/op-name op))))
    (take 3 (for [c (samples/cases op)
                  :let [arrays (samples/arrays c)]
                  :when (and (= "float64" (:variant c))
                             (seq arrays)
                             (every? #(seq (:elements %)) arrays)
                             (let [r (values/attempt #(gradients/recorded c))]
                               (and (not (values/thrown? r)) (seq r))))]
              c))))

(defn saved-rows
  "Rows about what an op saves."
  [op]
  (for [c (saving-cases op)
        tracked (tracked-sets c)
        which (concat (map :input (filter #(= :x (:tag %)) (samples/arrays c))) [:out])
        :let [what (str "tracked " (sort tracked) ", changed " which)]
        :when (seq (experiment-outputs c tracked))]
    (row c (keyword what) #(saved-rule c tracked which))))
