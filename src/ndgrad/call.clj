(ns ndgrad.call
  "How Clojure calls the ops of the Java core: positional arguments first, options as a trailing map or as keyword
  arguments, lists of arrays back as vectors."
  (:import
   (java.util List Map)
   (ndgrad Ops)
   (ndgrad.op.spec Elementwise Op Param Param$Kind)))

(set! *warn-on-reflection* true)

(defn- host
  "A result of the core as Clojure has it."
  [x]
  (if (instance? List x) (mapv host x) x))

(defn check-options
  "Throws ArgumentException when `options` has a key that is not among `known`."
  [op options known]
  (when-let [unknown (seq (remove (set known) (keys options)))]
    (throw (ndgrad.ArgumentException.
             (str op ": unknown option " (first unknown) "; it takes " (pr-str known))
             (object-array ["op" op "option" (name (first unknown))])))))

(defn- options-start
  "Where keyword arguments begin in `more`, the arguments behind the required ones: at the first keyword
  that is no word in the place of a parameter that takes words."
  [^Op op more]
  (let [params (drop (.required (.signature (.spec op))) (.params (.signature (.spec op))))
        option? (into #{} (map #(.name ^Param %)) params)
        word? (fn [^Param p] (#{Param$Kind/WORD Param$Kind/DTYPE Param$Kind/ANY} (.kind p)))]
    (first (keep-indexed (fn [i [arg param]]
                           (when (and (keyword? arg)
                                      (or (nil? param) (option? (name arg)) (not (word? param))))
                             i))
                         (map vector more (concat params (repeat nil)))))))

(defn- split-args
  "[positional options] for a call of `op`: options are a trailing map or keyword arguments; values
  before them fill the options in order."
  [^Op op args]
  (let [[front more] (split-at (.required (.signature (.spec op))) args)]
    (cond
      (and (seq more) (map? (last more)))
      [(concat front (butlast more)) (last more)]

      (options-start op more)
      (let [[values pairs] (split-at (options-start op more) more)]
        (when (odd? (count pairs))
          (throw (ndgrad.ArgumentException.
                   (str (.name op) ": keyword arguments come in pairs, got " (pr-str pairs))
                   (object-array ["op" (.name op)]))))
        [(concat front values) (apply hash-map pairs)])

      :else [args {}])))

(defn- variadic?
  "Whether the last required parameter takes the trailing arrays, as einsum's does."
  [^Op op]
  (let [required (filter #(.required ^Param %) (.params (.signature (.spec op))))]
    (and (next required)
         (= Param$Kind/ARRAYS (.kind ^Param (last required))))))

(defn- collect
  "The trailing arrays of a variadic call as one list."
  [^Op op args]
  (let [n (dec (.required (.signature (.spec op))))
        [front arrays] (split-at n args)]
    (if (and (= 1 (count arrays)) (sequential? (first arrays)))
      args
      (concat front [(vec arrays)]))))

(defn- invoke [^Op op args]
  (let [[^List positional ^Map opts] (split-args op args)]
    (host (Ops/call op positional opts))))

(defn function
  "The Clojure function of an op."
  [^Op op]
  (let [signature (.signature (.spec op))
        arity (.size (.params signature))
        fixed? (and (instance? Elementwise op) (= arity (.required signature)))]
    (cond
      (and fixed? (= 1 arity))
      (fn [x] (Ops/apply ^Elementwise op x))

      (and fixed? (= 2 arity))
      (fn [a b] (Ops/apply ^Elementwise op a b))

      (variadic? op)
      (fn [& args] (invoke op (collect op args)))

      :else
      (fn
        ([] (invoke op []))
        ([x] (host (Ops/call op [x] {})))
        ([x & more] (invoke op (cons x more)))))))

(defn in-place
  "The Clojure function of an op's in-place form."
  [^Op op]
  (fn [x & more]
    (let [[^List positional ^Map opts] (split-args op (cons x more))]
      (Ops/callInPlace op positional opts))))
