(ns ndgrad.tree
  "Arrays in nested Clojure data (trees): maps, records, vectors, lists and sets of leaves, visited in a fixed order. Members
  of a set have no position: a set of corresponding members may have another order.

  leaves        the leaves in order
  map-leaves    the same structure with a function applied to each leaf
  in-order      the same as a template for `put`: sets keep the order of the leaves
  put           the same structure with chosen leaves replaced
  rebuild       the same structure with all leaves replaced
  pick          the chosen leaves, as Arrays
  as-arrays     the same structure with floating numbers as Arrays
  structure     the same in order, with placeholders for Arrays
  matched       the values of another tree at the positions of the leaves
  prefixed      the same where one value can stand for a whole branch
  check-places  throws for leaves that have no position"
  (:import
   (ndgrad ArgumentException Array)))

(set! *warn-on-reflection* true)

(declare walk)

(defn- walk-all [as-set f xs] (mapv #(walk as-set f %) xs))

(defn- walk
  "`x` with `f` applied to every leaf, from left to right; keys, records and collection types are kept. `as-set` takes an
  empty set and its members."
  [as-set f x]
  (cond
    ; assoc keeps the order of the keys, which a map made anew need not have
    (map? x) (reduce (fn [m [k v]] (assoc m k (walk as-set f v))) x (seq x))
    (map-entry? x) (walk-all as-set f x)
    (vector? x) (into (::set (meta x) (empty x)) (walk-all as-set f x))
    (set? x) (as-set (empty x) (walk-all as-set f (seq x)))
    (sequential? x) (apply list (walk-all as-set f x))
    :else (f x)))

(defn map-leaves
  "The structure of `x` with `(f leaf)` for every leaf."
  [f x]
  (walk into f x))

(defn in-order
  "As `map-leaves`, but with vectors in place of sets, which become sets again when other leaves are put into them."
  [f x]
  (walk (fn [empty-set members] (with-meta members {::set empty-set})) f x))

(defn- gather
  "The transient vector `out` with the leaves of `x` appended."
  [out x]
  (cond
    (map? x) (reduce (fn [out e] (gather out (val e))) out x)
    (or (sequential? x) (set? x)) (reduce gather out x)
    :else (conj! out x)))

(defn leaves
  "A vector of the leaves of `x`."
  [x]
  (persistent! (gather (transient []) x)))

(defn put
  "The structure of `x` with the leaves that satisfy `chosen?` replaced by the values `found`, in order, and the others by
  `(otherwise leaf)`."
  [x chosen? found otherwise]
  (let [more (volatile! (seq found))]
    (map-leaves (fn [leaf]
                  (if (chosen? leaf)
                    (let [a (first @more)] (vswap! more next) a)
                    (otherwise leaf)))
                x)))

(defn rebuild
  "The structure of `x` with `new-leaves`, in the order of `leaves`."
  [x new-leaves]
  (put x any? new-leaves identity))

;; ---------------------------------------------------------------------------------------------
;; the Arrays in it

(defn array?
  "Whether `x` is an Array."
  [x]
  (instance? Array x))

(defn floating-number?
  "Whether `x` is a number that stands for an Array: a double or float."
  [x]
  (or (double? x) (float? x)))

(defn- ->array
  "An Array as it is, a number as a 0-d Array of float64."
  ^Array [x]
  (if (array? x) x (Array/scalar (double x))))

(defn pick
  "A vector of the leaves of `x` that satisfy `chosen?`, which must be Arrays or numbers, as Arrays."
  [chosen? x]
  (into [] (comp (filter chosen?) (map ->array)) (leaves x)))

(defn as-arrays
  "The structure of `x` with floating numbers as Arrays."
  [x]
  (map-leaves #(if (floating-number? %) (->array %) %) x))

(defn- place
  "A placeholder for an Array."
  [^Array x]
  (Array/wrap (.newArray (.dtype x) 0) (int-array [0])))

(defn structure
  "The structure of `x`, in the order of its leaves, with placeholders for its Arrays, which would keep a run's graph alive."
  [x]
  (in-order #(if (array? %) (place %) %) x))

;; ---------------------------------------------------------------------------------------------
;; other data of the same structure

(def ^:private many
  "How far a list, which may be infinite, is counted for a message."
  1000)

(defn- kind [x]
  (cond (record? x) (str "a record " (.getSimpleName (class x)))
        (map? x) (str "a map with the keys " (pr-str (vec (keys x))))
        (set? x) (str "a set of " (count x))
        (sequential? x) (str "a list of " (let [n (bounded-count many x)] (if (< n many) n (str many " or more"))))
        (nil? x) "nil"
        :else "a leaf"))

(defn- mismatch [what path like x]
  (throw (ArgumentException.
          (str what (when (seq path) (str " at " (pr-str path))) ": expected " (kind like) ", got " (kind x))
          (object-array ["path" (pr-str path)]))))

(defn- ambiguous [what path]
  (throw (ArgumentException.
          (str what (when (seq path) (str " at " (pr-str path)))
               ": the members of a set can't be told apart; use a vector or a map")
          (object-array ["path" (pr-str path)]))))

(defn- unordered? [x] (or (set? x) (some? (::set (meta x)))))

(defn- members
  "The values of `x` at the positions of the members of `like`, a list or set."
  [what path like x]
  (cond
    (and (set? like) (= like x)) (seq like)
    ; a set of what has no derivative has one nil for all
    (and (unordered? like) (= #{nil} x)) (repeat (count like) nil)
    (not (and (or (sequential? x) (set? x)) (= (count like) (bounded-count (inc (count like)) x)))) (mismatch what path like x)
    (and (next x) (or (unordered? like) (unordered? x))) (ambiguous what path)
    :else (seq x)))

(defn- match [out what path like x prefix?]
  (cond
    (and prefix? (or (nil? x) (integer? x)))
    (reduce (fn [out _] (conj! out x)) out (leaves like))
    (map? like)
    (if (and (map? x) (= (set (keys like)) (set (keys x))))
      (reduce (fn [out [k v]] (match out what (conj path k) v (get x k) prefix?)) out (seq like))
      (mismatch what path like x))
    (or (sequential? like) (set? like))
    (reduce (fn [out [i l v]] (match out what (conj path i) l v prefix?)) out
            (map vector (range) (seq like) (members what path like x)))
    :else (conj! out x)))

(defn matched
  "A vector of the values of `x` at the positions of the leaves of `like`. Throws ArgumentException, which calls `x` `what`,
  when the structures differ."
  [what like x]
  (persistent! (match (transient []) what [] like x false)))

(defn prefixed
  "As `matched`, but an integer or nil in `x` stands for all leaves of its branch."
  [what like x]
  (persistent! (match (transient []) what [] like x true)))

(defn check-places
  "`x`. Throws ArgumentException, which calls `x` `what`, if leaves that satisfy `chosen?` are in a set of several members:
  another run may have them in another order."
  [what chosen? x]
  (when (or (map? x) (sequential? x) (set? x))
    (when (and (set? x) (next x) (some chosen? (leaves x)))
      (ambiguous what []))
    (run! #(check-places what chosen? %) (if (map? x) (vals x) x)))
  x)
