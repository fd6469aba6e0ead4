(ns ndgrad.model
  "A deliberately naive model of arrays with reverse mode, to compare ndgrad with: every element is a scalar of its own.

  - A storage is a vector of doubles and a version. An array is a shape and, for each element, the number of its cell: a
    view is another list of cells of the same storage.
  - The tape is a list of scalars; each has its parents with the partial derivatives. An array that requires a gradient
    has a scalar for each element. Writing into some cells of a tracked array gives these cells other scalars, in the array
    that owns the history (the root) and in all its views.
  - Records, one an op, exist for the errors alone: what the op saved, at which version, and whether it was freed.

  The state is a value. `step` takes a form such as (nd/mul! a1 2.0), the arrays that its symbols stand for, and
  returns the next state with the resulting array, or the errors of which one must be raised."
  (:require
   [ndgrad.model.ops :as ops :refer [fail! flat indexes size stretched undecided!]]))

;; ---------------------------------------------------------------------------------------------
;; the state

(def start {:storages [], :arrays [], :tape [], :records []})

(defn- cells-of [s id] (:cells (nth (:arrays s) id)))

(defn array-of [s id] (nth (:arrays s) id))

(defn values
  "The elements of an array in row-major order."
  [s id]
  (let [a (array-of s id)]
    (mapv #(nth (:values (nth (:storages s) (:storage a))) %) (:cells a))))

(defn version [s id] (:version (nth (:storages s) (:storage (array-of s id)))))

(defn tracked?
  "Whether an array requires a gradient."
  [s id]
  (let [a (array-of s id)] (boolean (or (:record a) (:flag a)))))

(defn leaf? [s id] (nil? (:record (array-of s id))))

(defn- edge
  "Where the gradient of an array goes: to a record or, when it is a leaf, to the array."
  [s id]
  (cond (:record (array-of s id)) [:record (:record (array-of s id))]
        (tracked? s id) [:leaf id]))

(defn- add-array
  "[state id] with one more array; its root is itself unless given."
  [s a]
  (let [id (count (:arrays s))]
    [(update s :arrays conj (merge {:root id, :record nil, :flag false, :nodes nil, :grad nil} a)) id]))

(defn- fresh
  "[state id] with an array over a storage of its own."
  [s shape values]
  (add-array (update s :storages conj {:values (vec values), :version 0})
             {:storage (count (:storages s)), :shape shape, :cells (vec (range (size shape)))}))

(defn- add-record [s name parents saved]
  [(update s :records conj {:name name, :parents (vec (remove nil? parents)), :saved saved, :freed false})
   (count (:records s))])

(defn- add-nodes
  "[state nodes] with one scalar on the tape for each list of [parent partial]."
  [s parents]
  (let [n (count (:tape s))]
    [(update s :tape into parents) (vec (range n (+ n (count parents))))]))

(defn- add-copies
  "[state nodes] with scalars that are equal to others, nil for constants: a gradient of an array is not its base's."
  [s nodes]
  (add-nodes s (mapv #(if % [[% 1.0]] []) nodes)))

(defn- operand
  "What an op reads: an array, or a constant given as nested vectors."
  [s x]
  (if (map? x)
    (let [a (array-of s (:id x))]
      {:id (:id x), :shape (:shape a), :values (values s (:id x)), :nodes (when (tracked? s (:id x)) (:nodes a))})
    {:shape (loop [x x, shape []] (if (sequential? x) (recur (first x) (conj shape (count x))) shape))
     :values (mapv #(case % true 1.0 false 0.0 (double %)) (flatten [x]))}))

(defn- limited
  "Values that are not so large that rounding errors show."
  [vs]
  (when-not (every? #(< (abs %) 50.0) vs) (undecided!))
  vs)

(defn- compute
  "What an op gives, its scalars, and what it saves: {:shape :values :nodes :parents :saves}, all but the first two nil
  when it is not recorded."
  [s op operands options record?]
  (let [{:keys [f saves] :or {saves {}}} (ops/by-name op)
        {:keys [shape values partials]} (f operands options)
        needs (keep-indexed (fn [i o] (when (and (:id o) (tracked? s (:id o))) i)) operands)]
    (limited values)
    (if (and record? (seq needs))
      {:shape shape
       :values values
       :scalars (mapv (fn [ps] (keep (fn [[i e d]] (when-let [n (get-in operands [i :nodes e])] [n d])) ps)) partials)
       :parents (mapv #(edge s (:id (nth operands %))) needs)
       :saves (into #{} (mapcat saves) needs)}
      {:shape shape, :values values})))

(defn- saved-versions
  "[storage version] of those operands in `saves` that are arrays."
  [s operands saves]
  (for [i saves
        :let [id (when (number? i) (:id (nth operands i)))]
        :when id]
    [(:storage (array-of s id)) (version s id)]))

(defn- apply-op [s grad? op operands options]
  (let [operands (mapv #(operand s %) operands)
        {:keys [shape values scalars parents saves]} (compute s op operands options grad?)
        [s id] (fresh s shape values)]
    (if (nil? parents)
      [s id]
      (let [saved (cond-> (saved-versions s operands saves)
                    (saves :out) (conj [(:storage (array-of s id)) 0]))
            [s record] (add-record s op parents saved)
            [s nodes] (add-nodes s scalars)]
        [(update-in s [:arrays id] assoc :record record :nodes nodes) id]))))

;; ---------------------------------------------------------------------------------------------
;; views

(defn- view
  "[state id] of a view of an array: `picks` are the positions of its elements in the array."
  [s grad? id shape picks]
  (let [a (array-of s id)
        cells (mapv #(nth (:cells a) %) picks)
        v {:storage (:storage a), :shape shape, :cells cells
           :read-only (or (:read-only a) (not= (count cells) (count (set cells))))}]
    (cond
      (not (tracked? s id)) (add-array s (assoc v :root (:root a)))
      (not grad?) (add-array s v)
      :else (let [[s record] (add-record s :view [(edge s id)] [])
                  [s nodes] (add-copies s (mapv #(nth (:nodes a) %) picks))]
              (add-array s (assoc v :root (:root a), :record record, :nodes nodes))))))

(defn- strided?
  "Whether cells in this shape lie at fixed distances along each axis, so that a view can have it."
  [shape cells]
  (let [at #(nth cells (flat shape %))
        zero (vec (repeat (count shape) 0))
        strides (map-indexed (fn [axis n] (if (= 1 n) 0 (- (at (assoc zero axis 1)) (at zero)))) shape)]
    (every? #(= (at %) (reduce + (at zero) (map * % strides))) (indexes shape))))

(defn- reshape [s grad? id shape]
  (let [n (size (:shape (array-of s id)))
        known (size (remove #{-1} shape))
        shape (mapv #(if (= -1 %) (quot n known) %) shape)]
    (when (not= n (size shape)) (fail! ["ShapeException" nil]))
    (if (strided? shape (cells-of s id))
      (view s grad? id shape (range n))
      (let [[s id] (apply-op s grad? :copy [{:id id}] {})]
        (view s grad? id shape (range n))))))

(defn- picked
  "A view whose element at an index is the array's at `(source index)`."
  [s grad? id shape source]
  (let [from (:shape (array-of s id))]
    (view s grad? id shape (map #(flat from (source %)) (indexes shape)))))

(defn- slice-positions [n [start stop step]]
  (let [step (or step 1)
        clamp (fn [i low high] (max low (min high (if (neg? i) (+ i n) i))))]
    (vec (if (pos? step)
           (range (if start (clamp start 0 n) 0) (if stop (clamp stop 0 n) n) step)
           (range (if start (clamp start -1 (dec n)) (dec n)) (if stop (clamp stop -1 (dec n)) -1) step)))))

(defn- selection
  "[shape positions] of an index expression of integers, :all, vectors of integers and slices, as {:range [a b c]}."
  [shape items]
  (when (> (count items) (count shape)) (fail! ["IndexException" nil]))
  (let [items (concat items (repeat (- (count shape) (count items)) :all))
        axes (map (fn [n item]
                    (cond (= :all item) (range n)
                          (map? item) (slice-positions n (:range item))
                          (vector? item) (mapv #(mod % n) item)
                          (< (- -1 n) item n) (mod item n)
                          :else (fail! ["IndexException" nil])))
                  shape items)
        result (mapv count (remove number? axes))]
    [result
     (for [index (indexes result)]
       (flat shape (loop [axes axes, index index, out []]
                     (cond (empty? axes) out
                           (number? (first axes)) (recur (rest axes) index (conj out (first axes)))
                           :else (recur (rest axes) (rest index) (conj out (nth (first axes) (first index))))))))]))

(defn- diagonal [s grad? id offset]
  (let [[m n & more] (:shape (array-of s id))
        length (max 0 (if (neg? offset) (min (+ m offset) n) (min m (- n offset))))]
    (picked s grad? id (conj (vec more) length)
            (fn [index]
              (let [k (peek index)]
                (into [(if (neg? offset) (- k offset) k) (if (neg? offset) k (+ k offset))] (pop index)))))))

(defn- flip [s grad? id axis]
  (let [shape (:shape (array-of s id))]
    (picked s grad? id shape
            #(vec (map-indexed (fn [i k] (if (or (nil? axis) (= i axis)) (- (nth shape i) 1 k) k)) %)))))

;; ---------------------------------------------------------------------------------------------
;; in place

(defn- guard
  "Whether a write into an array is recorded; the errors that forbid it."
  [s grad? id others]
  (let [a (array-of s id)
        root (:root a)
        tracked-value? (boolean (some #(and (:id %) (tracked? s (:id %))) others))]
    (concat
      (when (:read-only a) [["ArgumentException" nil]])
      (when grad?
        (cond
          (and (leaf? s id) (tracked? s id)) (when tracked-value? [["GraphException" nil]])
          (and (not= root id) (leaf? s root) (or (tracked? s id) (tracked? s root))) [["GraphException" nil]])))))

(defn- recorded? [s grad? id others]
  (and grad?
       (not (and (leaf? s id) (tracked? s id)))
       (boolean (or (tracked? s id) (some #(and (:id %) (tracked? s (:id %))) others)))))

(defn- overwrite
  "The storage of an array with new elements in its cells."
  [s id op values]
  (update-in s [:storages (:storage (array-of s id))]
             #(-> %
                  (update :values (fn [old] (reduce (fn [vs [cell v]] (assoc vs cell v)) old
                                                    (map vector (cells-of s id) (limited values)))))
                  (update :version inc)
                  (assoc :mutated-by op))))

(defn- rewrite
  "The history of an array's root, and of all its views, with `nodes` in the array's cells."
  [s id nodes record]
  (let [root (:root (array-of s id))
        {:keys [cells] :as a} (array-of s root)
        history (merge (zipmap cells (or (:nodes a) (repeat nil))) (zipmap (cells-of s id) nodes))
        [s now] (add-copies s (mapv history cells))
        s (update-in s [:arrays root] assoc :record record :flag false :nodes now)
        history (zipmap cells now)]
    (reduce (fn [s i]
              (let [[s r] (add-record s :view [[:record record]] [])
                    [s nodes] (add-copies s (mapv history (cells-of s i)))]
                (update-in s [:arrays i] assoc :record r :nodes nodes)))
            s
            (filter #(and (not= root %) (= root (:root (array-of s %)))) (range (count (:arrays s)))))))

(defn- write-record [s id parents]
  (add-record s :write (cons (edge s (:root (array-of s id))) parents) []))

(defn- in-place [s grad? op id others options]
  (let [target (operand s {:id id})
        others (mapv #(operand s %) others)
        operands (into [target] others)
        errors (guard s grad? id others)
        record? (recorded? s grad? id others)
        {:keys [shape values scalars parents saves]}
        (try (compute s op operands options record?)
             (catch clojure.lang.ExceptionInfo e
               (if (:errors (ex-data e)) {:shape ::none} (throw e))))
        errors (concat errors (when (not= shape (:shape target)) [["ShapeException" nil]]))
        ;; the target's own elements, and the result, are saved as copies
        saved (saved-versions s (mapv #(if (= id (:id %)) {} %) operands) saves)]
    (when (seq errors) (apply fail! errors))
    (if-not record?
      [(overwrite s id op values) id]
      (let [edges (if (= op :fill) (keep #(when (:id %) (edge s (:id %))) others) parents)
            [s record] (if (seq edges) (add-record s op edges saved) [s nil])
            [s nodes] (if record (add-nodes s scalars) [s (mapv (constantly nil) values)])
            [s record] (if (and record (= id (:root (array-of s id))))
                         [s record]
                         (write-record s id (when record [[:record record]])))]
        [(rewrite (overwrite s id op values) id nodes record) id]))))

(defn- set-at [s grad? id items value]
  (let [[shape picks] (selection (:shape (array-of s id)) items)
        value (operand s value)
        errors (guard s grad? id [value])
        record? (recorded? s grad? id [value])
        from (loop [v (:shape value)] (if (and (> (count v) (count shape)) (= 1 (first v))) (recur (subvec v 1)) v))
        places (try (stretched from shape) (catch clojure.lang.ExceptionInfo _ nil))
        errors (concat errors (when (nil? places) [["ShapeException" nil]]))]
    (when (seq errors) (apply fail! errors))
    (let [a (array-of s id)
          ;; the selection as an array for the moment
          [s part] (add-array s {:storage (:storage a), :shape shape, :root (:root a)
                                 :cells (mapv #(nth (:cells a) %) picks)})
          s (overwrite s part :set (mapv #(nth (:values value) %) places))
          s' (if-not record?
               s
               (let [[s record] (write-record s part (when (and (:id value) (tracked? s (:id value)))
                                                       [(edge s (:id value))]))]
                 (rewrite s part (mapv #(get (:nodes value) %) places) record)))]
      [(assoc-in s' [:arrays part] {:root part, :cells [], :shape [0], :storage (:storage a)}) id])))

;; ---------------------------------------------------------------------------------------------
;; gradients

(defn- reachable
  "The records and leaves that an edge leads to."
  [s from]
  (loop [seen #{}, todo [from]]
    (if-let [[e & more] (seq todo)]
      (if (seen e)
        (recur seen more)
        (recur (conj seen e)
               (if (= :record (first e)) (into (vec more) (:parents (nth (:records s) (second e)))) more)))
      seen)))

(defn- unusable [s record]
  (let [{:keys [name saved freed]} (nth (:records s) record)]
    (cond
      freed [["GraphException" nil]]
      (some (fn [[storage v]] (not= v (:version (nth (:storages s) storage)))) saved)
      [["MutationException" (clojure.core/name name)]])))

(defn- scalar-gradients
  "The gradient of every scalar of the tape."
  [s seeds]
  (loop [n (dec (count (:tape s))), g seeds]
    (if (neg? n)
      g
      (recur (dec n)
             (if-let [gn (g n)]
               (reduce (fn [g [parent d]] (update g parent (fnil + 0.0) (* gn d))) g (nth (:tape s) n))
               g)))))

(defn- accumulate [s id nodes gradients]
  (update-in s [:arrays id :grad]
             (fn [old] (mapv + (or old (repeat 0.0)) (map #(get gradients % 0.0) nodes)))))

(defn- backward [s id upstream retain?]
  (let [a (array-of s id)
        from (edge s id)
        seen (when from (reachable s from))
        records (set (map second (filter #(= :record (first %)) seen)))
        leaves (map second (filter #(= :leaf (first %)) seen))
        retaining (filter #(let [b (array-of s %)] (and (:retain b) (records (:record b)))) (range (count (:arrays s))))
        errors (concat (when-not from [["GraphException" nil]])
                       (mapcat #(unusable s %) records)
                       (if (nil? upstream)
                         (when (not= 1 (size (:shape a))) [["GraphException" nil]])
                         (when (not= (:shape a) (:shape (operand s upstream))) [["ShapeException" nil]])))
        seed (if upstream (:values (operand s upstream)) [1.0])]
    (when (seq errors) (apply fail! errors))
    (let [g (scalar-gradients s (reduce (fn [g [n v]] (update g n (fnil + 0.0) v)) {} (map vector (:nodes a) seed)))
          s (reduce #(accumulate %1 %2 (:leaf-nodes (array-of s %2)) g) s leaves)
          s (reduce #(accumulate %1 %2 (:nodes (array-of s %2)) g) s retaining)]
      [(if retain? s (reduce #(assoc-in %1 [:records %2 :freed] true) s records)) nil])))

(defn- retain-grad [s id]
  (when-not (tracked? s id) (fail! ["GraphException" nil]))
  [(if (leaf? s id) s (assoc-in s [:arrays id :retain] true)) id])

(defn- require-grad [s id on?]
  (let [a (array-of s id)]
    (cond
      (and (:record a) (not on?)) (fail! ["GraphException" nil])
      (:record a) [s id]
      (not on?) [(update-in s [:arrays id] assoc :flag false :nodes nil) id]
      :else (let [[s nodes] (if (:leaf-nodes a) [s (:leaf-nodes a)] (add-nodes s (mapv (constantly []) (:cells a))))]
              [(update-in s [:arrays id] assoc :flag true :nodes nodes :leaf-nodes nodes) id]))))

;; ---------------------------------------------------------------------------------------------
;; forms

(defn- create [s data options]
  (let [{:keys [shape values]} (operand s data)
        [s id] (fresh s shape values)]
    (if (:requires-grad options) (require-grad s id true) [s id])))

(defn- slice-range
  "(nd/slice a b c) as {:range [a b c]}."
  [item]
  (if (seq? item) {:range (vec (rest item))} item))

(defn- run
  [s grad? [f x & more]]
  (let [op (keyword (name f))
        id (:id x)
        [y z] more]
    (case op
      :array (create s x y)
      :get (if (and (vector? y) (every? integer? y))
             (apply-op s grad? :gather [x] {:at y})
             (let [[shape picks] (selection (:shape (array-of s id)) (map slice-range more))]
               (view s grad? id shape picks)))
      :transpose (let [shape (:shape (array-of s id))
                       order (or y (vec (reverse (range (count shape)))))]
                   (picked s grad? id (mapv shape order)
                           (fn [index] (mapv (zipmap order index) (range (count shape))))))
      :unsqueeze (let [shape (:shape (array-of s id))]
                   (view s grad? id (into (conj (subvec shape 0 y) 1) (subvec shape y)) (range (size shape))))
      :reshape (reshape s grad? id y)
      :flip (flip s grad? id (:axis y))
      :diagonal (diagonal s grad? id (:offset y))
      :broadcast-to (view s grad? id y (stretched (:shape (array-of s id)) y))
      :detach (let [a (array-of s id)] (add-array s (select-keys a [:storage :shape :cells :read-only])))
      :stack (apply-op s grad? :stack x {})
      :requires-grad! (require-grad s id y)
      :retain-grad! (retain-grad s id)
      :zero-grad! [(assoc-in s [:arrays id :grad] nil) id]
      :backward! (backward s id y (:retain-graph z))
      :set! (set-at s grad? id (map slice-range y) z)
      (let [in-place? (= \! (last (name f)))
            op (if in-place? (keyword (subs (name f) 0 (dec (count (name f))))) op)
            operands (take-while #(not (and (map? %) (not (:id %)))) more)
            options (first (drop (count operands) more))]
        (if in-place?
          (in-place s grad? op id operands options)
          (apply-op s grad? op (cons x operands) options))))))

(defn step
  "What a form does: {:state, :id} with the resulting array's id, nil for none; {:errors}, a set of [class op] of which
  one must be raised, op nil for any; or {:undecided true} when the form is not fit for a comparison. In the form an
  array is {:id n}. `grad?` says whether ops are recorded."
  [s grad? form]
  (try
    (let [[s id] (run s grad? form)]
      {:state s, :id id})
    (catch clojure.lang.ExceptionInfo e
      (ex-data e))))
