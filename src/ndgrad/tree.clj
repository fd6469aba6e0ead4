(ns ndgrad.tree
  "Arrays in nested Clojure data: maps, records, vectors, lists and sets of leaves, visited in a fixed order.

  leaves      the leaves in order
  rebuild     the same structure with other leaves
  map-leaves  the same structure with a function of each leaf
  matched     what other data has at the places of the leaves
  prefixed    the same where one value can stand for a whole branch"
  (:import
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(declare walk)

(defn- walk-all [f xs] (mapv #(walk f %) xs))

(defn- walk
  "`x` with `f` applied to every leaf, from left to right; keys, records and collection types are kept."
  [f x]
  (cond
    (record? x) (reduce (fn [r [k v]] (assoc r k (walk f v))) x (seq x))
    (map? x) (into (empty x) (map (fn [[k v]] [k (walk f v)])) x)
    (map-entry? x) (walk-all f x)
    (vector? x) (into (empty x) (walk-all f x))
    (set? x) (into (empty x) (walk-all f (seq x)))
    (sequential? x) (apply list (walk-all f x))
    :else (f x)))

(defn map-leaves
  "The structure of `x` with `(f leaf)` for every leaf."
  [f x]
  (walk f x))

(defn- gather
  "`out`, a transient vector, with the leaves of `x` behind it."
  [out x]
  (cond
    (map? x) (reduce (fn [out e] (gather out (val e))) out x)
    (or (sequential? x) (set? x)) (reduce gather out x)
    :else (conj! out x)))

(defn leaves
  "A vector of the leaves of `x`."
  [x]
  (persistent! (gather (transient []) x)))

(defn rebuild
  "The structure of `x` with `new-leaves`, in the order of `leaves`."
  [x new-leaves]
  (let [more (volatile! (seq new-leaves))]
    (walk (fn [_] (let [leaf (first @more)] (vswap! more next) leaf)) x)))

(defn- kind [x]
  (cond (record? x) (str "a record " (.getSimpleName (class x)))
        (map? x) (str "a map with the keys " (pr-str (vec (keys x))))
        (set? x) (str "a set of " (count x))
        (sequential? x) (str "a list of " (count x))
        (nil? x) "nil"
        :else "a leaf"))

(defn- mismatch [what path like x]
  (throw (ArgumentException.
          (str what (when (seq path) (str " at " (pr-str path))) ": expected " (kind like) ", got " (kind x))
          (object-array ["path" (pr-str path)]))))

(defn- match [out what path like x prefix?]
  (cond
    (and prefix? (or (nil? x) (integer? x)))
    (reduce (fn [out _] (conj! out x)) out (leaves like))
    (map? like)
    (if (and (map? x) (= (set (keys like)) (set (keys x))))
      (reduce (fn [out [k v]] (match out what (conj path k) v (get x k) prefix?)) out (seq like))
      (mismatch what path like x))
    (or (sequential? like) (set? like))
    (if (and (or (sequential? x) (set? x)) (= (count like) (count x)))
      (reduce (fn [out [i l v]] (match out what (conj path i) l v prefix?)) out
              (map vector (range) (seq like) (seq x)))
      (mismatch what path like x))
    :else (conj! out x)))

(defn matched
  "A vector of what `x` has at the places of the leaves of `like`. Throws ArgumentException, in terms of `what`, where the
  structures differ."
  [what like x]
  (persistent! (match (transient []) what [] like x false)))

(defn prefixed
  "As `matched`, but an integer or nil in `x` stands for all leaves of its branch."
  [what like x]
  (persistent! (match (transient []) what [] like x true)))
