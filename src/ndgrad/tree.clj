(ns ndgrad.tree
  "Arrays in nested Clojure data: maps, records, vectors, lists and sets of leaves, visited in a fixed order.

  leaves   the leaves in order
  rebuild  the same structure with other leaves
  map-leaves, map-pairs")

(set! *warn-on-reflection* true)

(declare walk)

(defn- walk-all [f xs] (mapv #(walk f %) xs))

(defn- walk
  "`x` with `f` applied to every leaf, from left to right; keys, records and collection types are kept."
  [f x]
  (cond
    (record? x) (reduce (fn [r [k v]] (assoc r k (walk f v))) x (seq x))
    (map? x) (into (empty x) (map (fn [[k v]] [k (walk f v)])) x)
    (vector? x) (into (empty x) (walk-all f x))
    (sequential? x) (apply list (walk-all f x))
    :else (f x)))

(defn map-leaves
  "The structure of `x` with `(f leaf)` for every leaf."
  [f x]
  (walk f x))

(defn leaves
  "A vector of the leaves of `x`."
  [x]
  (let [out (volatile! (transient []))]
    (walk (fn [leaf] (vswap! out conj! leaf) leaf) x)
    (persistent! @out)))

(defn rebuild
  "The structure of `x` with `new-leaves`, in the order of `leaves`."
  [x new-leaves]
  (let [more (volatile! (seq new-leaves))]
    (walk (fn [_] (let [leaf (first @more)] (vswap! more next) leaf)) x)))
