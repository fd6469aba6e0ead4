(ns ndgrad.transform
  "Functions to functions: derivatives of functions of nested data of Arrays.

  grad, value-and-grad   of a function whose value is one number
  vjp                    of any function, as a value and a pullback

  The leaves that are differentiated are the floating Arrays and doubles of the chosen arguments; every other leaf
  (an integer, a keyword, an integer Array) goes to the function as it is and has nil for its gradient."
  (:require
   [ndgrad.tree :as tree])
  (:import
   (java.util List Optional)
   (ndgrad ArgumentException Array Autograd GraphException)))

(set! *warn-on-reflection* true)

(def ^:private ^:dynamic *depth*
  "How many transforms are running around this one: inside another, gradients are recorded."
  0)

(defn- differentiable?
  [x]
  (or (and (instance? Array x) (.isFloating (.dtype ^Array x)))
      (double? x)))

(defn- tracked
  "A fresh node of the graph with the value of leaf `x`: nested transforms differentiate theirs only."
  [x]
  (if (and (instance? Array x) (.requiresGrad ^Array x))
    (.broadcastTo ^Array x (.shape ^Array x))
    (.requiresGrad (.detach (if (instance? Array x) ^Array x (Array/scalar x))) true)))

(defn- track-all [x]
  (tree/map-leaves #(if (differentiable? %) (tracked %) %) x))

(defn- as-float
  "A whole argument that is a number is meant to be differentiated, whatever its type."
  [x]
  (if (number? x) (double x) x))

(defn- arrays
  "The differentiable leaves of `x`, which has been tracked."
  [x]
  (filterv #(and (instance? Array %) (.isFloating (.dtype ^Array %))) (tree/leaves x)))

(defn- outer?
  "Whether something outside may differentiate what is computed from `args`."
  [args]
  (or (pos? (long *depth*))
      (some #(and (instance? Array %) (.requiresGrad ^Array %)) (tree/leaves args))))

(defn- gradients
  "One gradient for each of `inputs`: zeros where no output depends on it."
  [outputs upstream inputs create?]
  (mapv (fn [^Array x ^Optional g]
          (if (.isPresent g) (.get g) (Array/wrap (.newArray (.dtype x) (int (.size x))) (.shape x))))
        inputs
        (if (seq inputs)
          (Autograd/gradients outputs (or upstream []) inputs (boolean create?) (boolean create?))
          [])))

(defn- spread
  "`x` with `found` in the places of its differentiable leaves, nil elsewhere."
  [x found]
  (let [more (volatile! (seq found))]
    (tree/map-leaves (fn [leaf]
                       (when (and (instance? Array leaf) (.isFloating (.dtype ^Array leaf)))
                         (let [g (first @more)] (vswap! more next) g)))
                     x)))

(defn- release
  "Leaves of a result, outside the graph unless an outer transform needs it."
  [x create?]
  (if create? x (tree/map-leaves #(if (instance? Array %) (.detach ^Array %) %) x)))

(defn- scalar-output
  [y]
  (if (and (instance? Array y) (= 1 (.size ^Array y)))
    y
    (throw (GraphException.
            (str "the function to differentiate must return one number as an Array, got "
                 (if (instance? Array y) (str "shape " (vec (.shape ^Array y))) (pr-str y))
                 "; use vjp for other results")
            (object-array 0)))))

(defn- chosen
  "Indexes of the differentiated arguments."
  [argnums n]
  (let [nums (if (integer? argnums) [argnums] (vec argnums))]
    (doseq [i nums]
      (when-not (and (integer? i) (< -1 i n))
        (throw (ArgumentException. (str "argnums " (pr-str argnums) " names argument " (pr-str i) " of " n)
                                   (object-array ["argnums" (str argnums)])))))
    nums))

(defn value-and-grad
  "A function of the same arguments as `f` that returns [value gradient]. `f` returns an Array with one element, or
  [value aux] with `{:has-aux true}`: then the function returns [[value aux] gradient].

  The gradient has the structure of the argument `:argnums` names (default 0), or is a vector of such for a vector
  of numbers: keys, records and collection types are kept. A leaf that the value does not depend on has zeros.
  Throws GraphException when the value is not a single number.

  Example: ((nd/value-and-grad (fn [{:keys [w]} x] (nd/sum (nd/* w x)))) {:w (nd/ones [2])} [3.0 4.0])"
  ([f] (value-and-grad f {}))
  ([f {:keys [argnums has-aux] :or {argnums 0}}]
   (fn [& args]
     (let [args (vec args)
           nums (chosen argnums (count args))
           create? (outer? args)
           inputs (reduce (fn [as i] (update as i (comp track-all as-float))) args nums)
           out (with-open [_ (Autograd/enableGrad)]
                 (binding [*depth* (inc (long *depth*))] (apply f inputs)))
           y (scalar-output (if has-aux (first out) out))
           xs (mapv #(nth inputs %) nums)
           wanted (mapv arrays xs)
           found (if (.requiresGrad ^Array y)
                   (gradients [y] nil (into [] cat wanted) create?)
                   (gradients [] nil (into [] cat wanted) create?))
           parts (first (reduce (fn [[out more] w] [(conj out (take (count w) more)) (drop (count w) more)])
                                [[] found] wanted))
           grads (mapv spread xs parts)]
       [(release (if has-aux [y (second out)] y) create?)
        (if (integer? argnums) (first grads) grads)]))))

(defn grad
  "The gradient function of `f`: `value-and-grad` without the value. With `{:has-aux true}` it returns
  [gradient aux].

  Example: ((nd/grad (fn [x] (nd/* x x))) 3.0)"
  ([f] (grad f {}))
  ([f options]
   (let [g (value-and-grad f options)]
     (fn [& args]
       (let [[value gradient] (apply g args)]
         (if (:has-aux options) [gradient (second value)] gradient))))))

(defn vjp
  "[y pullback] of `f` at `xs`: y is (apply f xs), any nested data of Arrays; (pullback cotangent) takes data of y's
  structure and returns a vector with one gradient for each of `xs`, of its structure. The pullback can be called
  again.

  Example: (let [[y pullback] (nd/vjp nd/sin 0.5)] (pullback 1.0))"
  [f & xs]
  (let [create? (outer? xs)
        inputs (mapv (comp track-all as-float) xs)
        y (with-open [_ (Autograd/enableGrad)]
            (binding [*depth* (inc (long *depth*))] (apply f inputs)))
        outputs (tree/leaves y)]
    [(release y create?)
     (fn [cotangent]
       (let [pairs (->> (map (fn [^Array o c]
                               [o (if (instance? Array c) c (Array/of ^Object c (.dtype o)))])
                             outputs (tree/leaves (tree/rebuild y (if (= 1 (count outputs))
                                                                    [cotangent]
                                                                    (tree/leaves cotangent)))))
                        (filter (fn [[^Array o]] (.requiresGrad o))))
             wanted (mapv arrays inputs)
             flat (into [] cat wanted)
             found (mapv (fn [^Array x ^Optional g]
                           (if (.isPresent g)
                             (.get g)
                             (Array/wrap (.newArray (.dtype x) (int (.size x))) (.shape x))))
                         flat
                         (Autograd/gradients ^List (mapv first pairs) ^List (mapv second pairs) ^List flat
                                             true (boolean create?)))]
         (mapv spread inputs
               (first (reduce (fn [[out more] w] [(conj out (take (count w) more)) (drop (count w) more)])
                              [[] found] wanted)))))]))
