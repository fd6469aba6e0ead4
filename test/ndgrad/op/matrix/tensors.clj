(ns ndgrad.op.matrix.tensors
  "Tensors of cases under every layout, calls of ops with them, and bitwise pictures of both."
  (:require
   [ndgrad.op.matrix.samples :as samples])
  (:import
   (java.lang.reflect Array)
   (java.util Arrays List Map)
   (ndgrad DType Index Ops)
   (ndgrad.autograd Tensor)
   (ndgrad.kernel.memory Layout Storage Strided)
   (ndgrad.op.matrix.samples Arr Slice)
   (ndgrad.op.spec Op Structural)))

(set! *warn-on-reflection* true)

;; ---- layouts ----------------------------------------------------------------------------------

(def layouts
  "Ways to lay an array out in a storage: name -> function of a shape to [layout storage-length]."
  (let [row-major (fn [shape] (Layout/of (int-array shape)))
        doubled (fn [shape] (map #(inc (* 2 (long %))) shape))]
    {:contiguous
     (fn [shape] (let [l ^Layout (row-major shape)] [l (.intSize l)]))
     :transposed
     (fn [shape] (let [l ^Layout (row-major (reverse shape))]
                   [(.permute l (int-array (reverse (range (count shape))))) (.intSize l)]))
     :stepped
     (fn [shape]
       (let [whole ^Layout (row-major (doubled shape))
             strides (.strides whole)]
         (if (empty? shape)
           [(Layout/of (int-array 0) (int-array 0) (int 2)) 4]
           [(Layout/of (int-array shape) (int-array (map #(* 2 (long %)) strides))
                       (int (if (some zero? shape) 0 (reduce + strides))))
            (.intSize whole)])))
     :reversed
     (fn [shape]
       (let [l ^Layout (row-major shape)]
         [(reduce (fn [^Layout l axis] (.flip l (int axis))) l
                  (filter #(pos? (long (nth shape %))) (range (count shape))))
          (.intSize l)]))}))

(defn- fill-junk
  "Fills a storage with what no result may depend on."
  [array]
  (condp instance? array
    double/1 (Arrays/fill ^double/1 array Double/NaN)
    float/1 (Arrays/fill ^float/1 array Float/NaN)
    long/1 (Arrays/fill ^long/1 array -77777)
    int/1 (Arrays/fill ^int/1 array -77777)
    (Arrays/fill ^boolean/1 array true)))

(defn- put [array ^long at v]
  (condp instance? array
    double/1 (aset ^double/1 array at (double v))
    float/1 (aset ^float/1 array at (.floatValue ^Number v))
    long/1 (aset ^long/1 array at (long v))
    int/1 (aset ^int/1 array at (int v))
    (aset ^boolean/1 array at (boolean v))))

(defn positions
  "Where the elements of a layout are in its storage, in row-major order."
  [^Layout l]
  (reduce (fn [starts axis]
            (let [stride (.stride l axis)]
              (for [s starts, i (range (.dim l axis))] (+ (long s) (* (long i) stride)))))
          [(.offset l)] (range (.ndim l))))

(defn tensor
  "A fresh tensor with the elements of an array of a case, laid out as named."
  (^Tensor [a] (tensor a :contiguous))
  (^Tensor [^Arr a layout]
   (if (= layout :broadcast)
     (let [[d & more] (:shape a)
           n (quot (count (:elements a)) (max 1 (long d)))
           row (assoc a :shape (vec (cons 1 more)) :elements (subvec (:elements a) 0 n))
           stretched (object-array [(tensor row) (int-array (:shape a))])]
       (.of Structural/BROADCAST_TO stretched))
     (let [[^Layout l length] ((layouts layout) (:shape a))
           storage (Storage/allocate (DType/of (:dtype a)) (int length))
           array (.array storage)]
       (fill-junk array)
       (doseq [[at v] (map vector (positions l) (:elements a))] (put array at v))
       (Tensor. (Strided. storage l))))))

(defn of
  "A row-major tensor, float64 unless a dtype is given."
  (^Tensor [shape elements] (of "float64" shape elements))
  (^Tensor [dtype shape elements] (tensor (samples/->Arr dtype shape (vec elements) 0 :x nil))))

(defn ramp
  "A row-major tensor of the shape and dtype of another with the elements 0.5, 1.5, 2.5, ..."
  ^Tensor [^Tensor like]
  (of (str (.dtype like)) (vec (.shape like)) (map #(+ 0.5 (double %)) (range (.size like)))))

(defn applicable
  "The layouts in which a case differs from its contiguous form."
  [c]
  (let [shapes (map :shape (samples/arrays c))]
    (cond-> []
      (some #(< 1 (count %)) shapes) (conj :transposed)
      (seq shapes) (conj :stepped)
      (some seq shapes) (conj :reversed)
      (and (seq shapes) (every? #(and (seq %) (pos? (long (first %)))) shapes)
           (some #(< 1 (long (first %))) shapes))
      (conj :broadcast))))

;; ---- calls ------------------------------------------------------------------------------------

(defn- host [^Slice s] (Index/slice ^Number (:start s) ^Number (:stop s) ^Number (:step s)))

(defn- face
  "An Array that shares its storage with a tensor."
  [^Tensor t]
  (Ops/call Structural/BROADCAST_TO {} (object-array [t (.shape t)])))

(defn- passed
  "An argument as ops take it; `make` gives the tensor of an array; an Array of it for `face?`."
  [argument face? make]
  (letfn [(walk [v]
            (cond
              (instance? Arr v) (if face? (face (make v)) (make v))
              (instance? Slice v) (host v)
              (vector? v) (mapv walk v)
              :else v))]
    (walk argument)))

(defn call-args
  "[positional options] of a case, with the tensors that `make` gives for its arrays; as Arrays
  where an op looks at its argument itself, and everywhere when asked to."
  ([c make] (call-args c make false))
  ([c make faces?]
   (let [any (into #{} (for [[p v] (:named c) :when (= :any (samples/kind p))] v))
         pass (fn [v] (passed v (or faces? (contains? any v)) make))]
     [(mapv pass (:positional c)) (update-vals (:options c) pass)])))

(defn call-with
  "The result of an op for [positional options]."
  [^Op op [positional options]]
  (.call op ^Map options (to-array positional)))

(defn call
  "The result of a case with the tensors that `make` gives for its arrays."
  [c make]
  (call-with (:op c) (call-args c make)))

(defn maker
  "A function that makes the tensor of each array once, and a function that gives all it has made
  as {input tensor}."
  [layout]
  (let [made (atom (sorted-map))]
    [(fn [^Arr a] (let [t (tensor a layout)] (swap! made assoc (:input a) t) t))
     (fn [] @made)]))

;; ---- pictures ---------------------------------------------------------------------------------

(defn shape [^Tensor t] (vec (.shape t)))
(defn dtype [^Tensor t] (str (.dtype t)))
(defn storage ^Storage [^Tensor t] (.storage (.strided t)))
(defn version [t] (.version (storage t)))

(defn- element
  "An element of a primitive array; a truth value is one of the two that Clojure knows."
  [array at]
  (if (instance? boolean/1 array)
    (Array/getBoolean array (int at))
    (Array/get array (int at))))

(defn values
  "The elements in row-major order."
  [^Tensor t]
  (let [array (.array (.strided t))]
    (mapv #(element array %) (positions (.layout t)))))

(defn bits
  "What tells an element from any other, the sign of zero included. NaN is one value, as in Java: which of its bit patterns
  an arithmetic instruction gives depends on the order of its operands, and that is the JIT's to choose."
  [v]
  (cond
    (instance? Double v) (Double/doubleToLongBits v)
    (instance? Float v) (Float/floatToIntBits v)
    :else v))

(defn picture
  "Everything of a storage that a mutation could change."
  [t]
  (let [array (.array (storage t))]
    [(version t) (mapv #(bits (element array %)) (range (Array/getLength array)))]))

(defn same-bits? [a b] (= (map bits a) (map bits b)))

(defn results
  "The tensors among what an op gave."
  [r]
  (cond
    (instance? Tensor r) [r]
    (instance? List r) (vec r)
    :else []))

;; ---- comparison -------------------------------------------------------------------------------

(def tolerance
  "How far results may be from the oracle: relative to each element, and, for ops that add elements
  up, relative to the largest of the result too. NumPy sums float32 in float32."
  {"float64" 1e-14, "float32" 1e-6, "float16" 2e-3})

(defn- number ^double [v] (if (boolean? v) (if v 1.0 0.0) (double v)))

(defn close?
  "Whether two elements agree within `rel` of the expected one or `abs`."
  [expected actual rel abs]
  (let [e (number expected), a (number actual)]
    (or (= e a)
        (and (Double/isNaN e) (Double/isNaN a))
        (and (not (Double/isInfinite e)) (not (Double/isInfinite a))
             (<= (Math/abs (- e a)) (+ (double abs) (* (double rel) (Math/abs e))))))))

(defn all-close?
  "Whether all elements of two sequences of one length agree as `close?` says."
  [expected actual rel abs]
  (and (= (count expected) (count actual))
       (every? true? (map #(close? %1 %2 rel abs) expected actual))))

(defn- finite? [^double d] (not (or (Double/isNaN d) (Double/isInfinite d))))

(defn magnitude
  "The largest finite absolute value."
  [vs]
  (reduce max 0.0 (filter finite? (map #(Math/abs (number %)) vs))))

(defn exact?
  "Whether the op computes every element by itself: its results are the same bits in any layout."
  [op]
  (or (instance? ndgrad.op.spec.Elementwise op) (instance? ndgrad.op.spec.View op)))

(defn round-off
  "A number without its last digits."
  [v]
  (let [d (double v)] (if (or (Double/isNaN d) (Double/isInfinite d)) (str d) (double (float d)))))
