(ns ndgrad.transform
  "Function transforms over nested data of Arrays: what ndgrad.Grad does for lists of Arrays.

  reverse mode   grad value-and-grad vjp
  forward mode   jvp linearize
  higher order   hvp jacobian hessian
  vectorisation  vmap
  memory         checkpoint
  custom rules   custom-vjp custom-jvp stop-gradient

  They compose in any order. A function is anything callable, including a java.util.function.Function. The floating Arrays
  and doubles in the chosen arguments are differentiated; every other leaf (an integer, a keyword, an integer Array) is
  passed to the function as it is and has nil for its derivative. A Java collection that holds something to differentiate
  throws. Tangents, cotangents and axes are matched by key or position; several members of a set have neither.

  Derivatives share no elements with arguments or with each other. Values are what the function returns: if that is an
  argument, or a view of one, it shares its elements."
  (:require
   [clojure.string :as str]
   [ndgrad.call :as call]
   [ndgrad.tree :as tree :refer [array? pick put]])
  (:import
   (java.util Collection IdentityHashMap List Map Optional OptionalInt)
   (java.util.function Function IntFunction UnaryOperator)
   (ndgrad ArgumentException Array Custom Custom$JvpRule Custom$VjpRule Grad Grad$JvpAll Grad$LinearAll
           Grad$Mode Grad$VjpAll GraphException Pullback ShapeException)
   (ndgrad.op.spec Coerce)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; nested data and lists of Arrays

(defn- floating? [x] (and (array? x) (.isFloating (.dtype ^Array x))))
(defn- differentiable? [x] (or (floating? x) (tree/floating-number? x)))

(defn- as-float
  "An argument that is itself a number is differentiated, whatever its type."
  [x]
  (if (number? x) (double x) x))

(defn- on-lists
  "`f` of `args` as a function of the list of their chosen leaves. The structure of its result goes
  into the volatile `out`; the list is that of its Arrays."
  ^Function [f args chosen? out]
  (reify Function
    (apply [_ xs]
      (let [y (tree/as-arrays (apply f (put args chosen? xs identity)))]
        (vreset! out (tree/structure y))
        (pick array? y)))))

(defn- results
  "A result of the structure `y` with the given Arrays."
  [y arrays]
  (put y array? arrays identity))

(defn- fail [^String message & facts]
  (throw (ArgumentException. message (object-array facts))))

(def ^:private most-arguments
  "How far a lazy sequence of argnums, which may have no end, is walked."
  1000)

(defn- argnums-of
  "The option `:argnums`, indexes of the arguments that are differentiated."
  [op options]
  (let [argnums (call/given options :argnums 0)
        _ (when (and (sequential? argnums) (not (counted? argnums)) (seq (drop most-arguments argnums)))
            (call/fail op (str "at most " most-arguments " argnums in a lazy sequence") argnums))
        nums (call/naming op (vec (Coerce/integers "argnums" argnums)))]
    (when (not= nums (distinct nums))
      (fail (str op ": argnums " nums " names an argument twice") "op" op "argnums" (str nums)))
    nums))

(defn- lone?
  "Whether `:argnums` is one number, and the derivatives stand for themselves."
  [options]
  (number? (call/given options :argnums 0)))

(defn- foreign?
  "Whether a leaf is a Java collection with something to differentiate. It may hold itself."
  [x]
  (when (or (instance? Map x) (instance? Collection x))
    (let [seen (IdentityHashMap.)]
      (loop [waiting (list x)]
        (when-some [[y & others] (seq waiting)]
          (cond
            (differentiable? y) true
            (not (or (instance? Map y) (instance? Collection y))) (recur others)
            (.put seen y true) (recur others)
            :else (recur (into others (if (instance? Map y) (vals y) y)))))))))

(defn- argument
  "Argument `x` of `op`, in whose leaves there must be no derivative to be lost."
  [op x]
  (when-some [leaf (first (filter foreign? (tree/leaves x)))]
    (call/fail op "Clojure's maps, vectors, lists and sets around what is differentiated (into makes them of others)"
               (symbol (.getName (class leaf)))))
  (as-float x))

(defn- differentiated
  "The arguments at `nums`. There must be something to differentiate in them, unless they are empty."
  [op args nums]
  (doseq [i nums]
    (when-not (< -1 i (count args))
      (fail (str op ": argnums " nums " names argument " i " of " (count args)) "op" op "argnums" (str nums))))
  (let [xs (mapv #(argument op (nth args %)) nums)
        leaves (tree/leaves xs)]
    (when (and (some some? leaves) (not-any? differentiable? leaves))
      (call/fail op "floating Arrays or doubles to differentiate, or nested data with some"
                 (map #(if (array? %) (keyword (str (.dtype ^Array %))) %) leaves)))
    xs))

(defn- only
  "A function of the arguments at `nums`; the others are as in `args`."
  [f args nums]
  (fn [& chosen] (apply f (reduce (fn [all [i x]] (assoc all i x)) args (map vector nums chosen)))))

(defn- one-of
  "The option `k` of `op`, one of `words`, the first of which it is where it is not given."
  [op options k words]
  (let [word (call/given options k (first words))]
    (if (some #{word} words)
      word
      (fail (str op ": " (name k) " must be " (str/join ", " (butlast words)) " or " (last words) ", got " (Coerce/show word))
            "op" op "option" (name k)))))

(defn- filled
  "Gradients of `inputs`; for those that nothing depends on zeros, or nil."
  [found inputs unused]
  (mapv (fn [^Optional g ^Array x]
          (cond (.isPresent g) (.get g)
                (= unused :nil) nil
                :else (Array/wrap (.newArray (.dtype x) (int (.size x))) (.shape x))))
        found inputs))

(defn- spread
  "Vectors of derivatives in the structures of the arguments `xs`."
  [xs found]
  (first (reduce (fn [[out more] x]
                   (let [n (count (filter differentiable? (tree/leaves x)))]
                     [(conj out (put x differentiable? (take n more) (constantly nil))) (drop n more)]))
                 [[] found] xs)))

(defn- direction
  "What a leaf of tangents or cotangents of `op` stands for, as an Array of dtype and shape `like` where
  it is missing."
  [op ^Array like given]
  (cond
    (array? given) given
    (nil? given) (Array/wrap (.newArray (.dtype like) (int (.size like))) (.shape like))
    :else (call/naming op (Array/of ^Object given (.dtype like)))))

(defn- directions
  "The Arrays that `given`, which is `what` of `op`, has at the places of the chosen leaves of `x`, which
  stand for `arrays`."
  [op what chosen? x arrays given]
  (mapv (fn [like [_ d]] (direction op like d))
        arrays
        (filter (fn [[leaf _]] (chosen? leaf))
                (map vector (tree/leaves x) (tree/matched (str op ": the " what) x given)))))

;; ---------------------------------------------------------------------------------------------
;; reverse mode

(def ^:private grad-options [:argnums :has-aux :unused])

(defn- has-aux? [op options]
  (call/naming op (Coerce/flag "has-aux" (call/given options :has-aux false))))

(defn- first-of-two
  "The value of a result [value aux] of the function that `op` was given."
  [op y]
  (if (and (sequential? y) (= 2 (bounded-count 3 y)))
    (first y)
    (call/fail op "[value aux] from the function, as has-aux is true" y)))

(defn- valued
  "`value-and-grad`, for `op`."
  [op f options]
  (let [f (call/callable op f)
        nums (argnums-of op options)
        has-aux (has-aux? op options)
        unused (one-of op options :unused [:zeros :nil])]
    (fn [& args]
      (let [args (vec args)
            xs (differentiated op args nums)
            inputs (pick differentiable? xs)
            out (volatile! nil)
            ^Grad$VjpAll run (Grad/vjps (on-lists (only f args nums) xs differentiable? out) inputs)
            y (results @out (.values run))
            value (if has-aux (first-of-two op y) y)
            _ (when-not (array? value)
                (throw (GraphException.
                        (str op ": the function to differentiate must return one number as an Array"
                             (when has-aux " and a second value") ", got " (Coerce/show value)
                             "; use vjp for other results")
                        (object-array ["op" op]))))
            cotangents (cons (Grad/one op value) (repeat (dec (count (.values run))) nil))
            found (.gradients ^Pullback (.pullback run) ^List (vec cotangents) false)
            gradients (spread xs (filled found inputs unused))]
        [y (if (lone? options) (first gradients) gradients)]))))

(defn- gradient
  "`grad`, for `op`."
  [op f options]
  (let [both (valued op f options)
        has-aux (has-aux? op options)]
    (fn [& args]
      (let [[value slope] (apply both args)]
        (if has-aux [slope (second value)] slope)))))

(defn value-and-grad
  "A function of the same arguments as `f` that returns [value gradient]. `f` must return an Array with one element, or
  [value aux] with `{:has-aux true}`: then the function returns [[value aux] gradient]. If `f` returns a double, as `item`
  does, it is a constant and the gradient is zero.

  The gradient has the structure of the argument at index `:argnums` (default 0), or is a vector of gradients if `:argnums`
  is a vector of indexes; keys, records and collection types are kept. The gradient of a leaf that the value does not depend
  on is zeros, or nil with `{:unused :nil}`. Gradients can be differentiated in turn, by outer transforms and by
  `backward!`. Options are a map or keyword arguments.
  Throws GraphException when the value is not a single floating number, ArgumentException when there is nothing to
  differentiate.

  Example: ((nd/value-and-grad (fn [{:keys [w]} x] (nd/sum (nd/* w x)))) {:w (nd/ones [2])} [3.0 4.0])"
  [f & more]
  (valued "value-and-grad" f (call/options "value-and-grad" more grad-options)))

(defn grad
  "The gradient function of `f`: `value-and-grad` without the value, with the same options. With `{:has-aux true}` it returns
  [gradient aux].

  Example: ((nd/grad (fn [x] (nd/* x x))) 3.0)"
  [f & more]
  (gradient "grad" f (call/options "grad" more grad-options)))

(defn vjp
  "[y pullback] of `f` at `xs`: y is (apply f xs), any nested data of Arrays; (pullback cotangent) takes data of y's
  structure and returns a vector with one gradient for each of `xs`, of its structure. nil in a cotangent is zero. The
  pullback can be called repeatedly, but not after the `with-scope` it was created in. Throws ArgumentException when a
  cotangent has another structure, ShapeException when it has another shape.

  Example: (let [[y pullback] (nd/vjp nd/sin 0.5)] (pullback 1.0))"
  [f & xs]
  (let [f (call/callable "vjp" f)
        xs (mapv #(argument "vjp" %) xs)
        inputs (pick differentiable? xs)
        out (volatile! nil)
        ^Grad$VjpAll run (Grad/vjps (on-lists f xs differentiable? out) inputs)
        y @out]
    [(results y (.values run))
     (fn [cotangent]
       (spread xs (.apply ^Pullback (.pullback run)
                          ^List (directions "vjp" "cotangent" array? y (.values run) cotangent))))]))

;; ---------------------------------------------------------------------------------------------
;; forward mode

(defn- moving
  "Results of a run with derivatives in the place of floating Arrays, nil elsewhere."
  [y derivatives]
  (put y array? (map #(when (floating? %1) %2) (pick array? y) derivatives) (constantly nil)))

(defn- along
  "`jvp`, for `op`."
  [op f xs tangents]
  (let [xs (mapv #(argument op %) xs)
        inputs (pick differentiable? xs)
        moves (directions op "tangents" differentiable? xs inputs tangents)
        out (volatile! nil)
        ^Grad$JvpAll run (Grad/jvps ^String op (on-lists f xs differentiable? out) inputs moves)]
    [(results @out (.values run)) (moving @out (.tangents run))]))

(defn jvp
  "[y tangent] of `f` at the vector of arguments `xs` along the vector of `tangents`: y is (apply f xs), tangent has its
  structure, with nil for leaves that are not floating. Tangents have the structures of their arguments; nil is zero. A
  single forward pass, whatever the number of arguments. `f` cannot write in place; use `setitem`.
  Throws ArgumentException when the structures differ, ShapeException when a shape does.

  Example: (nd/jvp nd/sin [0.5] [1.0])"
  [f xs tangents]
  (when-not (and (sequential? xs) (sequential? tangents))
    (fail "jvp: takes a vector of arguments and a vector of their tangents" "op" "jvp"))
  (along "jvp" (call/callable "jvp" f) xs tangents))

(defn linearize
  "[y f-jvp] of `f` at `xs`: (f-jvp & tangents) is the tangent of y along the tangents of `xs`, as by `jvp`, without running
  `f` again. It cannot be called after the `with-scope` it was created in.

  Example: (let [[y f-jvp] (nd/linearize nd/sin 0.5)] (f-jvp 1.0))"
  [f & xs]
  (let [f (call/callable "linearize" f)
        xs (mapv #(argument "linearize" %) xs)
        inputs (pick differentiable? xs)
        out (volatile! nil)
        ^Grad$LinearAll run (Grad/linearizes (on-lists f xs differentiable? out) inputs)
        y @out]
    [(results y (.values run))
     (fn [& tangents]
       (moving y (.apply ^UnaryOperator (.jvp run)
                         (directions "linearize" "tangents" differentiable? xs inputs (vec tangents)))))]))

(defn hvp
  "The Hessian of `f` at `x` times `v`, of x's structure: forward over reverse, at a small multiple of the cost of a gradient.
  `f` returns a single number.

  Example: (nd/hvp (fn [x] (nd/sum (nd/pow x 3))) (nd/array [1.0 2.0]) (nd/array [1.0 0.0]))"
  [f x v]
  (second (along "hvp" (gradient "hvp" f nil) [x] [v])))

;; ---------------------------------------------------------------------------------------------
;; all derivatives

(def ^:private modes {:auto Grad$Mode/AUTO, :forward Grad$Mode/FORWARD, :reverse Grad$Mode/REVERSE})

(defn- all-derivatives
  "`jacobian`, for `op`."
  [op f options]
  (let [f (call/callable op f)
        nums (argnums-of op options)
        mode (modes (one-of op options :mode [:auto :forward :reverse]))
        chunk-size (call/naming op (Coerce/integer "chunk-size" (call/given options :chunk-size Grad/CHUNK)))]
    (fn [& args]
      (let [args (vec args)
            xs (differentiated op args nums)
            out (volatile! nil)
            blocks (Grad/jacobians ^String op (on-lists (only f args nums) xs differentiable? out)
                                   (pick differentiable? xs) mode chunk-size)
            rows (mapv (fn [row]
                         (let [parts (spread xs row)]
                           (if (lone? options) (first parts) parts)))
                       blocks)]
        (moving @out rows)))))

(defn jacobian
  "A function of the same arguments as `f` that returns the Jacobian: for Arrays x and y an Array of x's dtype whose shape is
  y's followed by x's; for nested data y's structure, with x's structure of such blocks at each leaf. Options: `:argnums` as
  for `grad`; `:mode` :forward, :reverse or :auto (forward if the arguments have fewer elements than the results);
  `:chunk-size`, how many rows or columns are computed at once (default 128), which memory use is proportional to. Options
  are a map or keyword arguments.

  Example: ((nd/jacobian (fn [x] (nd/* x x))) (nd/array [1.0 2.0]))"
  [f & more]
  (all-derivatives "jacobian" f (call/options "jacobian" more [:argnums :mode :chunk-size])))

(defn hessian
  "A function of the same arguments as `f` that returns the Hessian, computed forward over reverse; `f` returns a single
  number. For an Array x the shape of the result is x's shape twice; for nested data it has x's structure, with x's structure
  of such blocks at each leaf. Options: `:argnums`, `:chunk-size` as for `jacobian`.

  Example: ((nd/hessian (fn [x] (nd/sum (nd/pow x 3)))) (nd/array [1.0 2.0]))"
  [f & more]
  (let [options (call/options "hessian" more [:argnums :chunk-size])]
    (all-derivatives "hessian"
                     (gradient "hessian" f {:argnums (:argnums options)})
                     (assoc options :mode :forward))))

;; ---------------------------------------------------------------------------------------------
;; batches

(defn- axes-of
  "What is an axis or nil in `given`, at the places of the leaves of `like`, as pairs of leaf and OptionalInt."
  [what like given]
  (mapv (fn [leaf axis]
          [leaf (if (nil? axis)
                  (OptionalInt/empty)
                  (OptionalInt/of (call/naming "vmap" (Coerce/integer what axis))))])
        (tree/leaves like)
        (tree/prefixed (str "vmap: " what) like given)))

(defn- in-axes-of
  "Pairs of leaf and axis for the arguments."
  [in-axes args]
  (when-not (or (nil? in-axes) (integer? in-axes) (sequential? in-axes))
    (call/fail "vmap" "an integer, nil or a vector with one for each argument as in-axes" in-axes))
  (when (sequential? in-axes)
    (let [n (bounded-count (inc (count args)) in-axes)]
      (when (not= n (count args))
        (fail (str "vmap: in-axes " (Coerce/show in-axes) " has " (if (< (count args) n) "more" n) " entries for "
                   (count args) " arguments")
              "op" "vmap" "in-axes" (Coerce/show in-axes)))))
  (axes-of "in-axes" args in-axes))

(defn vmap
  "Vectorises `f`, a function of one example, into a function of batches, which computes all examples at once. `:in-axes` is
  the batch axis of the arguments: an integer (default 0), nil for an argument that all examples share, or a vector with one
  of these per argument, which may be nested as the argument is. `:out-axes` is the same for the results.
  Inside `f` the shape of an Array is that of one example, and its elements cannot be read: to branch on them, use `where`.
  Random draws are the same for all examples. `f` cannot write in place; use `setitem`. Composes with the other transforms:
  (vmap (grad f)) gives a gradient for each example. Options are a map or keyword arguments.
  Throws ShapeException when batch sizes differ or an axis is out of range, ArgumentException when nothing is mapped over or
  in-axes has another structure, GraphException when a shape or a branch depends on elements of examples.

  Example: ((nd/vmap nd/dot {:in-axes [0 nil]}) (nd/ones [5 3]) (nd/ones [3]))"
  [f & more]
  (let [{:keys [in-axes out-axes] :or {in-axes 0 out-axes 0}} (call/options "vmap" more [:in-axes :out-axes])
        f (call/callable "vmap" f)
        of-arrays (fn [pairs] (into [] (keep (fn [[leaf axis]] (when (array? leaf) axis))) pairs))]
    (fn [& args]
      (let [args (vec args)
            pairs (in-axes-of in-axes args)
            _ (doseq [[leaf ^OptionalInt axis] pairs]
                (when (and (number? leaf) (.isPresent axis))
                  (throw (ShapeException.
                          (str "vmap: in-axes names axis " (.getAsInt axis) " of the number " leaf
                               "; nil in in-axes shares it among the examples, and a vector of numbers needs nd/array")
                          (object-array ["op" "vmap" "axis" (.getAsInt axis)])))))
            out (volatile! nil)
            placed (delay (of-arrays (axes-of "out-axes" @out out-axes)))
            mapped (Grad/vmaps (on-lists f args array? out) ^List (of-arrays pairs)
                               (reify IntFunction (apply [_ i] (nth @placed i))))
            found (.apply mapped (pick array? args))]
        (results @out found)))))

;; ---------------------------------------------------------------------------------------------
;; memory

(defn checkpoint
  "A function with the results and gradients of `f` that saves none of its intermediate values: the backward pass runs `f`
  again, with the same draws from the global random generator and from generators of the JDK, whose words are kept. `f` must give the same results on each run, and in the same
  order, so not several in a set. Arrays that `f` closes over get their gradients, too. When recorded, a result that is an
  argument, another Array from outside or a view of one is copied. If a result outlives a `with-scope`, Arrays created in the
  scope that `f` closes over must be kept by `keep!`.

  Example: ((nd/grad (fn [x] (nd/sum ((nd/checkpoint (fn [x] (nd/exp (nd/sin x)))) x)))) (nd/ones [3]))"
  [f]
  (let [placed (comp #(tree/check-places "checkpoint: the results" array? %) (call/callable "checkpoint" f))]
    (fn [& args]
      (let [args (vec args)
            out (volatile! nil)
            run (Grad/checkpoints (on-lists placed args array? out))
            found (.apply run (pick array? args))]
        (results @out found)))))

;; ---------------------------------------------------------------------------------------------
;; custom rules

(defn- holder
  "The function with the custom rules in `rules`."
  [{:keys [f vjp jvp] :as rules}]
  (with-meta
    (fn [& args]
      (let [args (vec args)
            chosen (pick array? args)
            out (volatile! nil)
            on-args (fn [arrays] (put args array? arrays identity))
            whole (fn [arrays] (put args array? arrays (constantly nil)))
            part (fn [op what like given]
                   (into [] (keep (fn [[leaf d]]
                                    (when (array? leaf) (if (nil? d) ::none (direction op leaf d)))))
                         (map vector (tree/leaves like) (tree/matched (str op ": the " what) like given))))
            nils (fn [found] (mapv #(when-not (= ::none %) %) found))
            custom (cond-> ^Custom (Grad/custom (on-lists f args array? out))
                     vjp (as-> ^Custom c
                               (.withVjp c (reify Custom$VjpRule
                                             (apply [_ xs ys gs]
                                               (nils (part "custom-vjp" "gradients" args
                                                           (vjp (on-args xs) (results @out ys) (results @out gs))))))))
                     jvp (as-> ^Custom c
                               (.withJvp c (reify Custom$JvpRule
                                             (apply [_ xs ys ts]
                                               (nils (part "custom-jvp" "tangent" @out
                                                           (jvp (on-args xs) (results @out ys) (whole ts)))))))))
            found (.apply ^Custom custom ^List chosen)]
        (results @out found)))
    {::rules rules}))

(defn- with-rule [op f k rule]
  (holder (assoc (or (::rules (meta f)) {:f (call/callable op f)})
                 k (if (ifn? rule) rule (call/fail op "a function as rule" rule)))))

(defn custom-vjp
  "The function `f` with a custom gradient rule: (rule args y cotangent) takes the vector of arguments, the result and a
  cotangent of the result's structure, and returns a vector with one gradient for each argument, of its structure; nil is
  zero. The rule is written in ops, so it can be differentiated in turn, and works under `vmap`. Forward mode uses its
  transpose unless `custom-jvp` gives a rule for that, too: (custom-vjp (custom-jvp f rule) rule). Arrays that `f` closes
  over are constants. A result that is an argument, another Array from outside or a view of one is copied. If a result
  outlives a `with-scope`, Arrays created in the scope that `rule` closes over must be kept by `keep!`.

  Example: ((nd/grad (nd/custom-vjp (fn [x] (nd/sin x)) (fn [[x] y g] [(nd/clip g -1.0 1.0)]))) 0.5)"
  [f rule]
  (with-rule "custom-vjp" f :vjp rule))

(defn custom-jvp
  "The function `f` with a custom tangent rule: (rule args y tangents) takes the vector of arguments, the result and the
  vector of the arguments' tangents, and returns the tangent of the result, of its structure; nil is zero. It must be linear
  in the tangents. Reverse mode uses its transpose unless `custom-vjp` gives a rule for that, too. As for `custom-vjp`,
  results from outside are copied, and Arrays that `rule` closes over must be kept.

  Example: (nd/jvp (nd/custom-jvp (fn [x] (nd/sin x)) (fn [[x] y [t]] (nd/* t 2.0))) [0.5] [1.0])"
  [f rule]
  (with-rule "custom-jvp" f :jvp rule))

(defn stop-gradient
  "The nested data `x` with its Arrays as constants: no gradient or tangent flows through them."
  [x]
  (tree/map-leaves #(if (array? %) (Grad/stopGradient %) %) x))
