(ns ndgrad.op.matrix.errors
  "Rows about calls that must fail: those an op declares, and those that are wrong for any op. Each
  throws exactly the right exception, in the caller's terms, before anything is written."
  (:require
   [clojure.string :as str]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.op.matrix.values :as values])
  (:import
   (java.util HashMap List Map)
   (ndgrad ArgumentException DTypeException NdException ShapeException)
   (ndgrad.op.matrix.samples Arr)
   (ndgrad.op.spec InPlace Op Param)))

(set! *warn-on-reflection* true)

(defn- wrong-error
  "What is wrong about what a call of an op threw."
  [^Op op error r prefix]
  (cond
    (not (values/thrown? r)) (str "gives a result, expected a " (.getSimpleName ^Class error))
    (not= error (class r)) (str "throws " r ", expected a " (.getSimpleName ^Class error))
    (not (str/starts-with? (ex-message r) prefix))
    (str "the message doesn't name the op: " (ex-message r))
    (not= prefix (get (.data ^NdException r) "op"))
    (str "the data name " (get (.data ^NdException r) "op"))))

(defn- any-changed? [before made]
  (some (fn [[i t]] (not= (before i) (tensors/picture t))) made))

(defn- row [c what problem] {:case c, :layout what, :problem problem})

;; ---- declared -------------------------------------------------------------------------------

(defn- declared [{:keys [op error] :as c}]
  (let [[make made] (tensors/maker :contiguous)
        args (tensors/call-args c make)
        before (update-vals (made) tensors/picture)
        r (values/attempt #(tensors/call-with op args))]
    (or (wrong-error op error r (samples/op-name op))
        (when (any-changed? before (made)) "it changed an input"))))

(defn- declared-in-place [{:keys [op] :as c}]
  (let [[make made] (tensors/maker :contiguous)
        [positional options] (tensors/call-args c make)
        before (update-vals (made) tensors/picture)
        r (values/attempt #(InPlace/call op options (to-array positional)))]
    (cond
      (not (instance? NdException r)) (str "in place it gives " r)
      (any-changed? before (made)) "in place it failed and changed an input")))

;; ---- wrong for any op -----------------------------------------------------------------------

(defn- working
  "The first sample of an op, which works."
  [op]
  (first (samples/cases op)))

(def ^:private nonsense
  "An argument of the wrong kind for each kind of parameter that refuses some."
  {:array "nope", :arrays 1.5, :int "nope", :ints "nope", :axes "nope", :shape "nope"
   :flag "nope", :number "nope"})

(defn- replacing
  "[positional options] with another argument for a parameter."
  [c ^Param p value]
  (let [[positional options] (tensors/call-args c tensors/tensor)
        at (first (keep-indexed (fn [i q] (when (= q p) i)) (samples/params (:op c))))
        options (HashMap. ^Map options)]
    (if (< (long at) (count positional))
      [(assoc positional at value) options]
      [positional (doto options (.put (.name p) value))])))

(defn- generic [op]
  (let [c (working op)
        [positional options] (tensors/call-args c tensors/tensor)
        params (samples/params op)
        required (.required (.signature (.spec ^Op op)))
        check (fn [what error args]
                (let [r (values/attempt #(tensors/call-with op args))]
                  (row c what (wrong-error op error r (samples/op-name op)))))]
    (concat
      [(check :unknown-option ArgumentException
         [positional (assoc (into {} options) "no-such-option" 1)])
       (check :too-many ArgumentException [(into positional (repeat (inc (count params)) 1)) {}])]
      (when (pos? required)
        [(check :too-few ArgumentException [(vec (take (dec required) positional)) {}])])
      (for [^Param p params
            :let [wrong (nonsense (samples/kind p))]
            :when wrong]
        (check (keyword (str "wrong-" (.name p))) ArgumentException (replacing c p wrong)))
      (for [^Param p params :when (= :dtype (samples/kind p))]
        (check (keyword (str "wrong-" (.name p))) DTypeException (replacing c p :complex64)))
      (for [^Param p params :when (.required p)]
        (check (keyword (str "nil-" (.name p))) ArgumentException (replacing c p nil)))
      (for [^Param p params
            :when (and (re-matches #"axis\d?" (.name p)) (#{:int :ints :axes} (samples/kind p)))
            axis [99 -99]]
        (check (keyword (str (.name p) axis)) ShapeException (replacing c p axis))))))

(defn rows
  "Every row of an op."
  [^Op op]
  (concat
    (for [c (samples/failures op)] (row c :declared (declared c)))
    (when (.isInPlace (.spec op))
      (for [c (samples/failures op) :when (instance? Arr (first (:positional c)))]
        (row c :in-place (declared-in-place c))))
    (generic op)))
