(ns ndgrad.op.matrix.samples
  "From the samples of an op's declaration to concrete cases of the op matrix.

  A sample is a line of EDN, the positional arguments and options of a call. `#x [2 3]` stands for
  a floating array of that shape drawn from the domain of the input it is, `#i [2 3]` for small
  integers, `#b [2 3]` for truth values, `#slice [start stop step]` for a slice. The numbers depend
  on the op's name and the sample's place alone.

  Floating numbers lie on a grid of binary fractions, so that they are the same in float32 and
  float64. No two of a case are equal and all keep a distance of at least `step` from each other,
  from the domain's ends, its kinks and the numbers written in the sample: differences taken with
  less are differences of a smooth function."
  (:require
   [clojure.edn :as edn]
   [clojure.string :as str])
  (:import
   (ndgrad.autograd Tensor)
   (ndgrad.op Registry)
   (ndgrad.op.spec Nested Op Param Spec Spec$Domain Spec$Failure)))

(set! *warn-on-reflection* true)

(defrecord Drawn [tag shape])
(defrecord Slice [start stop step])

(defrecord
  ^{:doc "An array of a case: `elements` in row-major order; `input` counts the arrays of the call;
  `tag` is :x, :i, :b or nil for one that was written out; `step` the distance its numbers keep."}
  Arr [dtype shape elements input tag step])

(def floating? #{"float32" "float64"})

;; ---- ops --------------------------------------------------------------------------------------

(defn ops
  "Every listed op."
  []
  (Registry/ops))

(defn family
  "The name of the class that declares an op; nil for one that no family lists."
  [^Op op]
  (some-> (Registry/constant op) .getDeclaringClass .getSimpleName))

(defn spec ^Spec [^Op op] (.spec op))
(defn op-name [^Op op] (.name op))

(defn kind
  "What a parameter takes, as a keyword."
  [^Param p]
  (keyword (str/lower-case (str (.kind p)))))

(defn params [op] (vec (.params (.signature (spec op)))))

;; ---- reading ----------------------------------------------------------------------------------

(def ^:private readers
  {'x #(->Drawn :x %), 'i #(->Drawn :i %), 'b #(->Drawn :b %)
   'slice (fn [[start stop step]] (->Slice start stop step))})

(defn- read-all [line]
  (with-open [in (java.io.PushbackReader. (java.io.StringReader. line))]
    (doall (take-while #(not= ::end %)
                       (repeatedly #(edn/read {:readers readers, :eof ::end} in))))))

(defn parse
  "[positional options] of a line."
  [line]
  (let [forms (read-all line)]
    (if (and (map? (last forms)) (not (record? (last forms))))
      [(vec (butlast forms)) (last forms)]
      [(vec forms) {}])))

;; ---- drawing ----------------------------------------------------------------------------------

(defn generator
  "A function of n that gives integers from 0 to n-1, the same sequence for the same seed."
  [seed]
  (let [state (long-array [(long (hash-combine (.hashCode (str seed)) 77))])]
    (letfn [(roll []
              (aset state 0 (unchecked-add (unchecked-multiply (aget state 0) 6364136223846793005)
                                           1442695040888963407))
              (unsigned-bit-shift-right (aget state 0) 33))]
      (dotimes [_ 4] (roll))
      (fn [n] (long (rem (roll) (long n)))))))

(defn- grid-step
  "The largest power of two that cuts the domain into at least 1024 parts."
  [low high]
  (Math/scalb 1.0 (Math/getExponent (/ (- (double high) (double low)) 1024.0))))

(defn- draw-float [roll used {:keys [low high kinks step]}]
  (let [first-point (* step (Math/ceil (/ (+ low step) step)))
        n (long (inc (Math/floor (/ (- (- high step) first-point) step))))]
    (loop [tries 0]
      (let [v (+ first-point (* step (double (roll n))))]
        (if (and (< tries 100000)
                 (or (some #(< (Math/abs (- v (double %))) step) kinks)
                     (contains? @used v)))
          (recur (inc tries))
          (do (vswap! used conj v) v))))))

(defn- integers-of [{:keys [low high]}]
  [(long (Math/ceil (max -3.0 low))) (long (Math/floor (min 3.0 high)))])

(defn- draw-int [roll domain]
  (let [[low high] (integers-of domain)
        [low high] (if (< (long low) (long high)) [low high] [-3 3])]
    (+ (long low) (long (roll (inc (- (long high) (long low))))))))

(defn domain-of
  "Where an input of an op may be sampled."
  [op input]
  (let [domains (.domains (spec op))]
    (if (empty? domains)
      {:low -3.0 :high 3.0 :kinks [] :step (grid-step -3 3)}
      (let [^Spec$Domain d (nth domains (min (long input) (dec (count domains))))]
        {:low (.low d) :high (.high d) :kinks (vec (.kinks d))
         :step (grid-step (.low d) (.high d))}))))

(defn- draw
  "The array that a tag stands for. An integer dtype makes integers of the domain of #x."
  [{:keys [op roll used avoid]} ^Drawn drawn dtype input]
  (let [{:keys [tag shape]} drawn
        domain (update (domain-of op input) :kinks into avoid)
        n (reduce * shape)
        pick (cond
               (= dtype "bool") #(= 1 (roll 2))
               (floating? dtype) #(draw-float roll used domain)
               :else #(draw-int roll domain))]
    (->Arr dtype shape (vec (repeatedly n pick)) input tag (:step domain))))

;; ---- binding ----------------------------------------------------------------------------------

(defn- literal-array
  "A nested list of numbers as an array of that dtype."
  [nested dtype input]
  (let [^Tensor t (Nested/tensor nested)]
    (->Arr dtype (vec (.shape t)) (vec (flatten nested)) input nil nil)))

(defn- doubles? [form]
  (and (vector? form) (seq (flatten form)) (every? #(instance? Double %) (flatten form))))

(defn- concrete
  "The argument of a parameter with arrays in the place of tags; counts inputs in the volatile."
  [form k {:keys [dtype-of inputs literal] :as context}]
  (letfn [(next-input [] (dec (vswap! inputs inc)))
          (walk [form]
            (cond
              (instance? Drawn form)
              (let [input (next-input)]
                (draw context form (dtype-of (:tag form) input) input))
              (vector? form) (mapv walk form)
              :else form))]
    (cond
      (and (= k :array) (doubles? form) literal) (literal-array form literal (next-input))
      (and (= k :array) (not (instance? Drawn form))) (do (next-input) form)
      :else (walk form))))

(defn by-name
  "Pairs of parameter and form of a parsed line, in the order of the parameters; without those that
  the line doesn't give."
  [op [positional options]]
  (let [options (update-keys options name)]
    (for [[i ^Param p] (map-indexed vector (params op))
          :when (or (< i (count positional)) (contains? options (.name p)))]
      [p (if (< i (count positional)) (nth positional i) (get options (.name p)))])))

(defn tags
  "The tags of a line, in order."
  [line]
  (map :tag (filter #(instance? Drawn %) (tree-seq coll? seq (parse line)))))

(defn instantiate
  "The case of a line for the dtypes that (dtype-of tag input) gives: {:positional [..] :options
  {..} :named ([param argument] ..)}; `literal` is the dtype of floating arrays that are written
  out, nil to pass them as they are."
  [op line seed dtype-of literal]
  (let [[positional options :as parsed] (parse line)
        context {:op op :roll (generator [(op-name op) seed]) :used (volatile! #{})
                 :avoid (filter number? (tree-seq coll? seq parsed))
                 :dtype-of dtype-of :inputs (volatile! 0) :literal literal}
        named (vec (for [[p form] (by-name op parsed)]
                     [p (concrete form (kind p) context)]))
        values (into {} (map (fn [[^Param p v]] [(.name p) v])) named)
        surplus (drop (count (params op)) positional)]
    {:named named
     :positional (into (mapv (fn [[^Param p _]] (values (.name p)))
                             (take (min (count positional) (count (params op))) named))
                       surplus)
     :options (into {} (for [[k v] options] [(name k) (get values (name k) v)]))}))

;; ---- cases ------------------------------------------------------------------------------------

(def dtypes ["bool" "int32" "int64" "float32" "float64"])

(defn- integral-domain? [op]
  (every? (fn [input]
            (let [[low high] (integers-of (domain-of op input))] (< (long low) (long high))))
          (range (max 1 (count (.domains (spec op)))))))

(defn- truth-domain? [op]
  (every? (fn [input]
            (let [{:keys [low high]} (domain-of op input)] (and (<= low 0.0) (>= high 1.0))))
          (range (max 1 (count (.domains (spec op)))))))

(defn- uniform
  "The function of tag and input that gives #x one dtype."
  [dtype]
  (fn [tag _]
    (case tag
      :x dtype
      :i (if (#{"int32" "float32"} dtype) "int32" "int64")
      :b "bool")))

(defn- mixed [first-dtype second-dtype]
  (fn [tag input] ((uniform (if (even? (long input)) first-dtype second-dtype)) tag input)))

(defn- variants
  "[id dtype-of literal] for each combination of dtypes that a line is tried with."
  [op line pairs?]
  (let [tags (tags line)
        literals? (some doubles? (map second (by-name op (parse line))))
        uniforms (cond
                   (some #{:x} tags) (cond-> ["float64" "float32"]
                                       (integral-domain? op) (conj "int64" "int32")
                                       (truth-domain? op) (conj "bool"))
                   (some #{:i} tags) ["int64" "int32"]
                   (seq tags) ["bool"]
                   literals? ["float64" "float32"]
                   :else ["float64"])]
    (concat
      (for [d uniforms] [d (uniform d) (when (= d "float32") "float32")])
      (when (and pairs? (< 1 (count (filter #{:x} tags))))
        (for [a uniforms b uniforms :when (not= a b)]
          [(str a "," b) (mixed a b) nil])))))

(defn- standard
  "Shapes that every elementwise op is tried with, whatever its samples say."
  [op]
  (when (instance? ndgrad.op.spec.Elementwise op)
    (let [n (.required (.signature (spec op)))
          tag (fn [shape] (str/join " " (repeat n (str "#x " shape))))]
      [(tag []) (tag [0 3]) (tag [4 1 5])])))

(defn lines
  "The samples of an op."
  [op]
  (let [declared (vec (.samples (spec op)))]
    (into declared (remove (set declared)) (standard op))))

(defn cases
  "Every sample of an op with every combination of dtypes: {:op, :id, :line, :variant, :positional,
  :options, :named}."
  [op]
  (let [lines (lines op)
        paired (first (filter #(< 1 (count (filter #{:x} (tags %)))) lines))]
    (for [[i line] (map-indexed vector lines)
          [variant dtype-of literal] (variants op line (= line paired))]
      (assoc (instantiate op line i dtype-of literal)
             :op op, :line line, :variant variant, :id (str i ":" variant)))))

(defn failures
  "The calls of an op that must fail, with what they throw."
  [op]
  (for [[i ^Spec$Failure f] (map-indexed vector (.failures (spec op)))]
    (assoc (instantiate op (.call f) (+ 1000 (long i)) (uniform "float64") nil)
           :op op, :line (.call f), :error (.error f))))

(defn describe
  "A line about a case."
  [c]
  (str (op-name (:op c)) " " (:line c) (when (:variant c) (str " (" (:variant c) ")"))))

(defn arrays
  "The arrays of a case, in the order of the inputs."
  [c]
  (filter #(instance? Arr %) (tree-seq #(and (coll? %) (not (record? %))) seq
                                       (mapv second (:named c)))))
