(ns ndgrad.model.ops
  "The ops of the naive model, on shapes and lists of scalars: what each computes, with all partial derivatives, and what
  it saves. They know of no storage and no tape.")

(defn fail!
  "Ends a step in an error: a set of [class op] of which the real one must be, op nil when any will do."
  [& errors]
  (throw (ex-info "an error of the program" {:errors (set errors)})))

(defn undecided!
  "Ends a step whose result would hang on a rounding error or grows too large: no such program is run."
  []
  (throw (ex-info "not a good program" {:undecided true})))

;; ---------------------------------------------------------------------------------------------
;; shapes

(defn size "How many elements a shape has." [shape] (reduce * 1 shape))

(defn indexes
  "All indexes of a shape in row-major order."
  [shape]
  (reduce (fn [all n] (for [i all, k (range n)] (conj i k))) [[]] shape))

(defn flat
  "The position of an index among the elements of a shape."
  [shape index]
  (reduce + (map * index (rest (reverse (reductions * 1 (reverse shape)))))))

(defn- broadcast-shape
  [& shapes]
  (let [n (apply max 0 (map count shapes))]
    (apply mapv
           (fn [& dims]
             (let [wide (set (remove #{1} dims))]
               (if (next wide) (fail! ["ShapeException" nil]) (or (first wide) 1))))
           (or (seq (map #(into (vec (repeat (- n (count %)) 1)) %) shapes)) [[]]))))

(defn stretched
  "For each element of shape `to` the position of the element of shape `from` that broadcasting puts there."
  [from to]
  (when (or (> (count from) (count to)) (not= to (broadcast-shape from to)))
    (fail! ["ShapeException" nil]))
  (mapv (fn [index]
          (flat from (map #(if (= 1 %1) 0 %2) from (drop (- (count to) (count from)) index))))
        (indexes to)))

;; ---------------------------------------------------------------------------------------------
;; ops: [operands options] -> {:shape, :values, :partials}, where each element has [[operand element partial] …]

(defn- near? [a b] (and (not= a b) (< (abs (- a b)) 1e-6)))

(defn- short?
  "Whether sums and products of a few such numbers are exact, in whatever order."
  [a]
  (let [scaled (* (double a) (bit-shift-left 1 20))]
    (= scaled (Math/rint scaled))))

(defn- decided!
  "That the greater of two numbers hangs on no rounding error; equal ones might have come out apart by another order."
  [a b]
  (when (or (near? a b) (and (= a b) (not (short? a)))) (undecided!)))

(defn- elementwise
  "From `value` and `partials`, functions of the operands' scalars; `partials` also has the value, first."
  [value partials]
  (fn [operands _]
    (let [shape (apply broadcast-shape (map :shape operands))
          places (mapv #(stretched (:shape %) shape) operands)
          at (fn [e] (mapv (fn [o p] (nth (:values o) (nth p e))) operands places))
          values (mapv #(apply value (at %)) (range (size shape)))]
      {:shape shape
       :values values
       :partials (mapv (fn [e]
                         (map-indexed (fn [i d] [i (nth (nth places i) e) d])
                                      (apply partials (nth values e) (at e))))
                       (range (size shape)))})))

(defn- groups
  "The elements of `shape` by the element of the result of a reduction that they belong to: [shape, lists]."
  [shape {:keys [axis keepdims]}]
  (let [axes (if (nil? axis) (set (range (count shape))) #{axis})
        kept (vec (keep-indexed #(when-not (axes %1) %2) shape))
        group (fn [index] (flat kept (keep-indexed #(when-not (axes %1) %2) index)))
        by (group-by first (map (fn [index e] [(group index) e]) (indexes shape) (range)))]
    [(if keepdims (vec (map-indexed #(if (axes %1) 1 %2) shape)) kept)
     (mapv #(mapv second (by %)) (range (size kept)))]))

(defn- reduction
  "From `value`, a function of a list of scalars, and `partials`, of the value and the list."
  [value partials]
  (fn [[x] options]
    (let [[shape lists] (groups (:shape x) options)
          all (mapv (fn [es] (mapv #(nth (:values x) %) es)) lists)
          values (mapv value all)]
      {:shape shape
       :values values
       :partials (mapv (fn [es xs v] (map (fn [e d] [0 e d]) es (partials v xs))) lists all values)})))

(defn- others [f xs] (map-indexed (fn [i _] (f (concat (take i xs) (drop (inc i) xs)))) xs))

(defn- largest [xs]
  (let [[m & others] (sort > xs)]
    (run! #(decided! m %) others)
    m))

(defn- matmul [[a b] _]
  (let [row? (= 1 (count (:shape a))), column? (= 1 (count (:shape b)))
        [m k] (if row? (into [1] (:shape a)) (:shape a))
        [k2 n] (if column? (conj (:shape b) 1) (:shape b))]
    (when (not= k k2) (fail! ["ShapeException" nil]))
    (let [x (fn [i l] (nth (:values a) (+ (* i k) l)))
          y (fn [l j] (nth (:values b) (+ (* l n) j)))
          cells (for [i (range m), j (range n)] [i j])]
      {:shape (cond-> [] (not row?) (conj m) (not column?) (conj n))
       :values (mapv (fn [[i j]] (reduce + (map #(* (x i %) (y % j)) (range k)))) cells)
       :partials (mapv (fn [[i j]]
                         (mapcat (fn [l] [[0 (+ (* i k) l) (y l j)] [1 (+ (* l n) j) (x i l)]]) (range k)))
                       cells)})))

(defn- taking
  "The result whose elements are elements of operands: `picks` lists [operand element]."
  [operands shape picks]
  {:shape shape
   :values (mapv (fn [[i e]] (nth (:values (nth operands i)) e)) picks)
   :partials (mapv (fn [[i e]] [[i e 1.0]]) picks)})

(defn- cumsum [[x] {:keys [axis]}]
  (let [shape (:shape x)
        before (mapv (fn [index] (mapv #(flat shape (assoc index axis %)) (range (inc (nth index axis)))))
                     (indexes shape))]
    {:shape shape
     :values (mapv (fn [es] (reduce + (map #(nth (:values x) %) es))) before)
     :partials (mapv (fn [es] (map #(vector 0 % 1.0) es)) before)}))

(defn- stack [operands _]
  (when (not (apply = (map :shape operands))) (fail! ["ShapeException" nil]))
  (let [shape (:shape (first operands))]
    (taking operands (into [(count operands)] shape)
            (for [i (range (count operands)), e (range (size shape))] [i e]))))

(defn- gather [[x] {:keys [at]}]
  (let [shape (:shape x)
        rest-shape (subvec shape 1)]
    (taking [x] (into [(count at)] rest-shape)
            (for [i at, index (indexes rest-shape)]
              [0 (flat shape (into [(mod i (first shape))] index))]))))

(def by-name
  "What each op computes, and what it saves for the gradients of its inputs: input numbers or :out."
  {:neg {:f (elementwise - (fn [_ _] [-1.0]))}
   :exp {:f (elementwise #(Math/exp %) (fn [v _] [v])) :saves {0 [:out]}}
   :sin {:f (elementwise #(Math/sin %) (fn [_ x] [(Math/cos x)])) :saves {0 [0]}}
   :tanh {:f (elementwise #(Math/tanh %) (fn [v _] [(- 1.0 (* v v))])) :saves {0 [:out]}}
   :square {:f (elementwise #(* % %) (fn [_ x] [(* 2.0 x)])) :saves {0 [0]}}
   :relu {:f (elementwise #(do (when (near? 0.0 %) (undecided!)) (max 0.0 %))
                          (fn [_ x] [(if (pos? x) 1.0 0.0)]))
          :saves {0 [:out]}}
   :add {:f (elementwise + (fn [_ _ _] [1.0 1.0]))}
   :sub {:f (elementwise - (fn [_ _ _] [1.0 -1.0]))}
   :mul {:f (elementwise * (fn [_ a b] [b a])) :saves {0 [1], 1 [0]}}
   :div {:f (elementwise #(do (when (< (abs %2) 0.1) (undecided!)) (/ %1 %2))
                         (fn [v _ b] [(/ 1.0 b) (- (/ v b))]))
         :saves {0 [1], 1 [1 :out]}}
   :maximum {:f (elementwise #(do (decided! %1 %2) (max %1 %2))
                             (fn [_ a b] (cond (> a b) [1.0 0.0] (< a b) [0.0 1.0] :else [0.5 0.5])))
             :saves {0 [0 1], 1 [0 1]}}
   :where {:f (elementwise #(if (pos? %1) %2 %3) (fn [_ c _ _] (if (pos? c) [0.0 1.0 0.0] [0.0 0.0 1.0])))}
   :sum {:f (reduction #(reduce + %) (fn [_ xs] (map (constantly 1.0) xs)))}
   :mean {:f (reduction #(/ (reduce + %) (count %)) (fn [_ xs] (map (constantly (/ 1.0 (count xs))) xs)))}
   :prod {:f (reduction #(reduce * %) (fn [_ xs] (others #(reduce * 1.0 %) xs))) :saves {0 [0 :out]}}
   :max {:f (reduction largest (fn [m xs]
                                 (let [ties (count (filter #(= m %) xs))]
                                   (map #(if (= m %) (/ 1.0 ties) 0.0) xs))))
         :saves {0 [0 :out]}}
   :cumsum {:f cumsum}
   :matmul {:f matmul :saves {0 [1], 1 [0]}}
   :copy {:f (fn [[x] _] (taking [x] (:shape x) (map #(vector 0 %) (range (size (:shape x))))))}
   :stack {:f stack}
   :gather {:f gather}
   :masked-fill {:f (elementwise (fn [x c v] (if (pos? c) v x)) (fn [_ _ c _] (if (pos? c) [0.0 0.0 1.0] [1.0 0.0 0.0])))}
   :fill {:f (fn [[x value] _]
               (taking [x value] (:shape x) (map #(vector 1 %) (stretched (:shape value) (:shape x)))))}})
