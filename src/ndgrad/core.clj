(ns ndgrad.core
  "N-dimensional arrays with automatic differentiation.

  Wherever an array is expected, an Array, a number or nested vectors will do. Required arguments are positional; options
  are passed in a trailing map, as keyword arguments, or by position: (nd/sum x {:axis 0}), (nd/sum x :axis 0) and
  (nd/sum x 0) are the same call. Every op is described in doc/reference.md and by its docstring.

  creation     array wrap zeros ones full empty arange linspace eye, zeros-like ones-like full-like
  properties   shape ndim dtype size nbytes itemsize strides offset T data array?
  conversion   item tolist ->array, and seq along the first axis
  indexing     get set! setitem slice; :all :newaxis :ellipsis as indexes
  arithmetic   + - * / pow matmul neg …, comparisons > < >= <= == !=, in place with !: add! mul! …
  ops          exp log … sum mean … reshape transpose … cat stack … matmul einsum solve … quantile …
  autograd     requires-grad! requires-grad? backward! grad-of zero-grad! grad-fn leaf? version detach retain-grad!
               register-hook! no-grad enable-grad detect-anomaly graph graph-dot draw-graph
  memory       with-scope keep!
  functional   grad value-and-grad vjp jvp linearize hvp jacobian hessian, vmap, checkpoint, fuse fuse-report,
               custom-vjp custom-jvp stop-gradient
  the library  doctor set-num-threads! num-threads set-memory-limit! error-data

  (require '[ndgrad.core :as nd])
  (def x (nd/array [1.0 2.0 3.0] {:requires-grad true}))
  (nd/backward! (nd/sum (nd/* x x)))
  (nd/grad-of x)"
  (:refer-clojure :exclude [* + - / < <= == > >= abs cat chunk concat empty flatten get max min mod repeat sort take])
  (:require
   [ndgrad.call :as call]
   [ndgrad.fuse :as fuse]
   [ndgrad.transform :as transform])
  (:import
   (java.io Writer)
   (java.util Arrays List Map)
   (ndgrad Array Autograd Autograd$Scope DType Doctor Graph Graph$Edge Graph$Vertex Index Index$Slice Memory
           NdException Ops Preload Scope Threads)
   (ndgrad.op Arithmetic Comparison Indexing)
   (ndgrad.op.spec Coerce Nested)))

(set! *warn-on-reflection* true)

;; While the rest of this namespace is loaded.
(Preload/start)

;; ---------------------------------------------------------------------------------------------
;; creation

(defn array?
  "Whether `x` is an Array."
  [x]
  (instance? Array x))

(defn- tracked [^Array a options]
  (if (call/flag options :requires-grad false) (.requiresGrad a true) a))

(defn array
  "A new Array with the elements of `data`: a number, nested sequences, (nested) Java arrays or an Array.
  Doubles give :float64, longs :int64, booleans :bool; `:dtype` converts. The elements are copied, without their
  gradient history. With `:requires-grad true` the result is a leaf that accumulates gradients; its dtype must be floating.
  Throws ShapeException for ragged nesting, DTypeException for an unknown dtype.

  Example: (nd/array [[1.0 2.0] [3.0 4.0]] {:dtype :float32 :requires-grad true})"
  {:arglists '([data] [data {:keys [dtype requires-grad]}])}
  ([data] (Array/of ^Object data))
  ([data & options]
   (let [{:keys [dtype] :as options} (call/options "array" options [:dtype :requires-grad])]
     (call/naming "array"
                  (tracked (if (nil? dtype) (Array/of ^Object data) (Array/of ^Object data (DType/of dtype)))
                           options)))))

(defn wrap
  "An Array over a primitive Java array, without a copy: writes to either are seen by the other. `shape` must have as many
  elements; without it the Array is one-dimensional. Throws DTypeException unless `primitives` is an array of an element
  type, ShapeException when the shape has another size.

  Example: (nd/wrap (double-array [1 2 3 4]) [2 2])"
  {:arglists '([primitives] [primitives shape] [primitives shape {:keys [requires-grad]}])}
  (^Array [primitives]
   (call/naming "wrap"
                (DType/ofArray primitives)
                (Array/wrap primitives (int-array [(DType/lengthOf primitives)]))))
  (^Array [primitives shape] (call/naming "wrap" (Array/wrap primitives (Coerce/dimensions "shape" shape))))
  (^Array [primitives shape & options]
   (let [options (call/options "wrap" options [:requires-grad])]
     (call/naming "wrap" (tracked (wrap primitives shape) options)))))

;; ---------------------------------------------------------------------------------------------
;; properties

(defn shape
  "The lengths of the dimensions, a vector.

  Example: (nd/shape (nd/zeros [2 3]))"
  [x]
  (vec (.shape (call/array "shape" x))))

(defn ndim
  "The number of dimensions: 0 for a scalar."
  [x]
  (.ndim (call/array "ndim" x)))

(defn dtype
  "The element type: :float32, :float64, :int32, :int64 or :bool."
  [x]
  (keyword (str (.dtype (call/array "dtype" x)))))

(defn size
  "The number of elements."
  [x]
  (.size (call/array "size" x)))

(defn nbytes
  "The size of all elements in bytes: size times itemsize."
  [x]
  (.nbytes (call/array "nbytes" x)))

(defn itemsize
  "The size of one element in bytes."
  [x]
  (.itemsize (call/array "itemsize" x)))

(defn strides
  "The distance in bytes between neighbours along each axis, a vector, as in NumPy."
  [x]
  (vec (.strides (call/array "strides" x))))

(defn offset
  "The index of the first element in `data`."
  [x]
  (.offset (call/array "offset" x)))

(defn T
  "The array with its axes in reverse order; a view."
  [x]
  (.t (call/array "T" x)))

(defn data
  "The primitive Java array behind `x` and all its views, not a copy: `offset` and `strides` locate `x` in it. Writing into
  it directly bypasses the version counter."
  [x]
  (.data (call/array "data" x)))

(defn ->array
  "A new primitive Java array with the elements in row-major order."
  [x]
  (.toArray (call/array "->array" x)))

(defn item
  "The only element of `x` as a number or boolean. Throws ShapeException when the size is not 1."
  [x]
  (call/naming "item" (.itemValue (call/array "item" x))))

(defn- vectors [x]
  (if (instance? List x) (mapv vectors x) x))

(defn tolist
  "The elements as nested vectors; the element itself for a 0-d array.

  Example: (nd/tolist (nd/arange 3))"
  [x]
  (vectors (.toList (call/array "tolist" x))))

;; ---------------------------------------------------------------------------------------------
;; indexing

(defn- require-end [n]
  (when-not (or (nil? n) (number? n))
    (call/fail "slice" "whole numbers and nil" n)))

(defn slice
  "An index that selects `start`, start+step, … up to but not including `stop`, as Python's start:stop:step. nil leaves an
  end open; negative numbers count from the end. Throws IndexException for a step of 0 and for fractions.

  Example: (nd/get (nd/arange 10) (nd/slice 1 8 2))"
  ([stop] (slice nil stop nil))
  ([start stop] (slice start stop nil))
  ([start stop step]
   (require-end start)
   (require-end stop)
   (require-end step)
   (call/naming "slice" (Index/slice ^Number start ^Number stop ^Number step))))

(defn get
  "NumPy's x[i, j, …]. An index is an integer (negative ones count from the end), :all, :newaxis, :ellipsis, a `slice`, a
  vector of integers or an integer Array, a vector of booleans or a bool Array. Integers, slices, :newaxis and
  :ellipsis give a view that shares storage and version counter; vectors and Arrays give a copy. Differentiable:
  the gradients of an element that is indexed several times add up. Throws IndexException.

  Example: (nd/get [[1 2 3] [4 5 6]] :all (nd/slice 1 3))"
  [x & index]
  (Ops/call Indexing/GET {} (call/arguments (call/array "get" x) (Arrays/asList (to-array index)))))

(defn set!
  "Writes `v` in place into the elements that `index` selects (a vector of indexes as for `get`, or one index); returns x.
  `v` is broadcast and converted to x's dtype. Increments the version. Throws, before anything is written, IndexException,
  ShapeException when `v` does not broadcast, ArgumentException when elements of `x` share memory, GraphException when the
  write would have to be differentiated through a leaf that requires a gradient.

  Example: (nd/set! (nd/zeros [2 2]) [0 :all] 5.0)"
  [x index v]
  (Indexing/set (.tensor (call/existing "set!" x)) (if (sequential? index) (vec index) [index]) v)
  x)

;; ---------------------------------------------------------------------------------------------
;; arithmetic

(defn +
  "The elementwise sum of all arguments, with broadcasting."
  ([] (call/array "+" 0))
  ([a] (call/array "+" a))
  ([a b] (Ops/apply Arithmetic/ADD a b))
  ([a b & more] (reduce + (+ a b) more)))

(defn -
  "The elementwise difference, from left to right; the negation of a single argument."
  ([a] (Ops/apply Arithmetic/NEG a))
  ([a b] (Ops/apply Arithmetic/SUB a b))
  ([a b & more] (reduce - (- a b) more)))

(defn *
  "The elementwise product of all arguments, with broadcasting."
  ([] (call/array "*" 1))
  ([a] (call/array "*" a))
  ([a b] (Ops/apply Arithmetic/MUL a b))
  ([a b & more] (reduce * (* a b) more)))

(defn /
  "The elementwise true quotient, from left to right; the reciprocal of a single argument."
  ([a] (Ops/apply Arithmetic/DIV 1 a))
  ([a b] (Ops/apply Arithmetic/DIV a b))
  ([a b & more] (reduce / (/ a b) more)))

(defn >
  "Whether a is greater than b, elementwise: a bool Array without history."
  [a b]
  (Ops/apply Comparison/GT a b))

(defn <
  "Whether a is less than b, elementwise: a bool Array without history."
  [a b]
  (Ops/apply Comparison/LT a b))

(defn >=
  "Whether a is greater than or equal to b, elementwise: a bool Array without history."
  [a b]
  (Ops/apply Comparison/GE a b))

(defn <=
  "Whether a is less than or equal to b, elementwise: a bool Array without history."
  [a b]
  (Ops/apply Comparison/LE a b))

(defn ==
  "Whether a equals b, elementwise: a bool Array without history. NaN equals nothing."
  [a b]
  (Ops/apply Comparison/EQ a b))

(defn !=
  "Whether a differs from b, elementwise: a bool Array without history."
  [a b]
  (Ops/apply Comparison/NE a b))

;; ---------------------------------------------------------------------------------------------
;; autograd

(defn requires-grad?
  "Whether gradients flow to or through `x`."
  [x]
  (.requiresGrad (call/array "requires-grad?" x)))

(defn requires-grad!
  "Sets whether leaf `x` requires a gradient (default true); returns x. Throws DTypeException when its dtype is not
  floating, GraphException when `x` is the result of a tracked op and `required` is false."
  ([x] (requires-grad! x true))
  ([x required]
   (call/naming "requires-grad!" (.requiresGrad (call/existing "requires-grad!" x) (Coerce/flag "required" required)))))

(defn grad-of
  "The gradient accumulated in `x`, an Array of its shape and dtype; nil when there is none. Later passes do not modify it:
  they accumulate into a new Array."
  [x]
  (let [x (call/existing "grad-of" x)]
    (when (.hasGrad x) (.grad x))))

(defn zero-grad!
  "Discards the gradient accumulated in `x`; returns x."
  [x]
  (.zeroGrad (call/existing "zero-grad!" x)))

(defn grad-fn
  "The name of the tracked op that computed `x`, as a keyword; nil for a leaf."
  [x]
  (some-> (.orElse (.gradFn (call/array "grad-fn" x)) nil) keyword))

(defn leaf?
  "Whether `x` is a leaf: not the result of a tracked op."
  [x]
  (.isLeaf (call/array "leaf?" x)))

(defn version
  "How many times the elements of `x`, or of any array that shares its storage, were modified in place."
  [x]
  (.version (call/array "version" x)))

(defn detach
  "The same elements outside the graph, sharing storage and version counter."
  [x]
  (.detach (call/array "detach" x)))

(defn retain-grad!
  "Makes non-leaf `x` keep its gradient as a leaf does; returns x. Throws GraphException when it requires no gradient."
  [x]
  (call/naming "retain-grad!" (.retainGrad (call/existing "retain-grad!" x))))

(defn- upstream-for
  "The cotangent `g` of `y` as an Array, nil for the implied one."
  [^Array y g]
  (when (some? g)
    (if (array? g) g (Array/of ^Object g (.dtype y)))))

(defn- backward-of-all [ys upstream retain? create?]
  (let [ys (mapv #(call/existing "backward!" %) (call/naming "backward!" (Nested/items ys)))
        gs (cond
             (nil? upstream) (mapv (constantly nil) ys)
             (array? upstream) (vec upstream)
             (sequential? upstream) (vec (call/naming "backward!" (Nested/items upstream)))
             :else (call/fail "backward!" "a vector with one upstream gradient for each output" upstream))]
    (call/naming-else "backward!"
      (Autograd/backward ys (if (= (count ys) (count gs)) (mapv upstream-for ys gs) gs) retain? create?))))

(defn- backward [y upstream options]
  (let [options (when options (call/options "backward!" options [:retain-graph :create-graph]))
        flag (fn [k] (call/naming "backward!" (call/flag options k false)))
        retain-graph (flag :retain-graph)
        create? (flag :create-graph)
        retain? (or retain-graph create?)]
    (if (and (not (array? y)) (sequential? y))
      (backward-of-all y upstream retain? create?)
      (let [y (call/existing "backward!" y)]
        (call/naming-else "backward!"
          (.backward y (upstream-for y upstream) retain? create?))))))

(defn backward!
  "Accumulates the gradients of `y` in the leaves it depends on, and frees the graph. The upstream gradient `upstream`, of
  y's shape, may be omitted or nil when y has a single element; it is converted to y's dtype. For a vector of Arrays `y`,
  `upstream` is a vector of their cotangents, and one pass serves all of them. Options: `:retain-graph` keeps the graph for
  another pass, `:create-graph` makes the gradients differentiable. Returns nil.
  Throws, before any gradient is written, MutationException when a saved value was modified in place, GraphException when
  there is no graph, the graph was freed or an upstream gradient is missing, ShapeException when the upstream gradient has
  another shape.

  Example: (nd/backward! (nd/sum (nd/exp (nd/array [1.0 2.0] {:requires-grad true}))))"
  {:arglists '([y] [y upstream] [y upstream {:keys [retain-graph create-graph]}])}
  ([y] (backward y nil nil))
  ([y upstream & options]
   (if (or (map? upstream) (keyword? upstream))
     (backward y nil (cons upstream options))
     (backward y upstream options))))

(defmacro no-grad
  "Evaluates `body` without recording ops on this thread. Lazy sequences must be realised inside.

  Example: (nd/no-grad (nd/exp (nd/array [1.0] {:requires-grad true})))"
  [& body]
  `(with-open [_# (Autograd/noGrad)] ~@body))

(defmacro enable-grad
  "Evaluates `body` with recording of ops on this thread, inside a `no-grad`."
  [& body]
  `(with-open [_# (Autograd/enableGrad)] ~@body))

(defn keep!
  "Lets the Arrays in `x`, any nested data, outlive the innermost `with-scope` that is open on this thread; returns x. The
  result of the scope needs no `keep!`; Arrays stored elsewhere (in an atom, a field, metadata) do.

  Example: (nd/with-scope (nd/item (nd/sum (nd/keep! (nd/ones [3])))))"
  [x]
  (Scope/keepInner x))

(defmacro with-scope
  "Evaluates `body` and recycles the memory of the Arrays created inside it on this thread: a loop whose body is a scope
  produces no garbage. These outlive the scope: the Arrays in the result, in any nesting of maps (keys, too), vectors,
  sequences, sets, records and Java's collections and records; Arrays passed to `keep!`; gradients of Arrays created
  outside, and the graph of in-place updates to such Arrays; what the graphs of all these need; memory that was wrapped, or
  exposed by `data`. Using the elements of any other Array afterwards throws a ScopeException. Scopes nest: what outlives one
  belongs to the enclosing one. Lazy sequences in the result are realised.

  Functions do not keep the Arrays they close over. Functions in the graph of something that outlives the scope
  (checkpointed ones, rules of `custom-vjp`, hooks) need `keep!` for Arrays from inside that they close over; the functions
  that `vjp` and `linearize` return are valid only inside the scope.

  Example: (nd/with-scope (nd/sum (nd/exp (nd/ones [3]))))"
  [& body]
  `(with-open [_# (Scope/open)] (keep! (do ~@body))))

(defmacro detect-anomaly
  "Evaluates `body` in anomaly mode: the first op that produces a NaN or an infinity from finite inputs, forward or backward,
  throws an AnomalyException with its name, its shapes and the place it was called from. Slow; free when off.

  Example: (nd/detect-anomaly (nd/log (nd/array [1.0])))"
  [& body]
  `(with-open [_# (Autograd/detectAnomaly)] ~@body))

(defn register-hook!
  "Calls `f` with the gradient of `x` in every backward pass; its result replaces the gradient, nil keeps it. Modifying the
  gradient in place throws a MutationException. Returns a function of no arguments that removes the hook. Throws
  GraphException when `x` requires no gradient.

  Example: (nd/register-hook! (nd/array [1.0] {:requires-grad true}) (fn [g] (nd/* g 2)))"
  [x f]
  (when-not (ifn? f)
    (call/fail "register-hook!" "a function of the gradient" f))
  (let [hook (fn [g] (when-some [replaced (f g)] (call/array "register-hook!" replaced)))
        ^Autograd$Scope scope (call/naming "register-hook!" (.registerHook (call/existing "register-hook!" x) hook))]
    #(.close scope)))

(defn- graph-of ^Graph [op y]
  (call/naming op (Graph/of (into-array Array [(call/existing op y)]))))

(defn graph
  "The computation graph behind `y` as data: {:nodes [{:id 0 :op \"sum\" :shape [] :dtype :float64} …] :edges [{:from 1
  :to 0 :input 0} …]}; an edge goes from the node that computed a value to the one that uses it. Throws GraphException when
  y requires no gradient.

  Example: (nd/graph (nd/exp (nd/array [1.0] {:requires-grad true})))"
  [y]
  (let [g (graph-of "graph" y)]
    {:nodes (mapv (fn [^Graph$Vertex v]
                    {:id (.id v), :op (.op v), :shape (vec (.shape v)), :dtype (keyword (str (.dtype v)))})
                  (.vertices g))
     :edges (mapv (fn [^Graph$Edge e] {:from (.from e), :to (.to e), :input (.input e)}) (.edges g))}))

(defn graph-dot
  "The computation graph behind `y` in Graphviz's DOT language, a string. Throws as `graph` does."
  [y]
  (.toDot (graph-of "graph-dot" y)))

(defn draw-graph
  "Draws the computation graph behind `y` into `file`, whose name ends in .svg or .png; returns the file. PlantUML
  (net.sourceforge.plantuml/plantuml-mit) must be on the classpath. Throws as `graph` does, ArgumentException for what is
  no file, another ending and without PlantUML."
  [y file]
  (call/naming "draw-graph"
    (.toFile (.draw (graph-of "draw-graph" y) (call/path "draw-graph" file)))))

(defn grad-enabled?
  "Whether ops on this thread are recorded."
  []
  (Autograd/isEnabled))

(def ^{:arglists '([f & {:keys [argnums has-aux unused]}])
       :doc (:doc (meta #'transform/value-and-grad))}
  value-and-grad transform/value-and-grad)

(def ^{:arglists '([f & {:keys [argnums has-aux unused]}])
       :doc (:doc (meta #'transform/grad))}
  grad transform/grad)

(def ^{:arglists '([f & xs])
       :doc (:doc (meta #'transform/vjp))}
  vjp transform/vjp)

(def ^{:arglists '([f xs tangents])
       :doc (:doc (meta #'transform/jvp))}
  jvp transform/jvp)

(def ^{:arglists '([f & xs])
       :doc (:doc (meta #'transform/linearize))}
  linearize transform/linearize)

(def ^{:arglists '([f x v])
       :doc (:doc (meta #'transform/hvp))}
  hvp transform/hvp)

(def ^{:arglists '([f & {:keys [argnums mode chunk-size]}])
       :doc (:doc (meta #'transform/jacobian))}
  jacobian transform/jacobian)

(def ^{:arglists '([f & {:keys [argnums chunk-size]}])
       :doc (:doc (meta #'transform/hessian))}
  hessian transform/hessian)

(def ^{:arglists '([f & {:keys [in-axes out-axes]}])
       :doc (:doc (meta #'transform/vmap))}
  vmap transform/vmap)

(def ^{:arglists '([f])
       :doc (:doc (meta #'transform/checkpoint))}
  checkpoint transform/checkpoint)

(def ^{:arglists '([f])
       :doc (:doc (meta #'fuse/fuse))}
  fuse fuse/fuse)

(def ^{:arglists '([f])
       :doc (:doc (meta #'fuse/fuse-report))}
  fuse-report fuse/fuse-report)

(def ^{:arglists '([f rule])
       :doc (:doc (meta #'transform/custom-vjp))}
  custom-vjp transform/custom-vjp)

(def ^{:arglists '([f rule])
       :doc (:doc (meta #'transform/custom-jvp))}
  custom-jvp transform/custom-jvp)

(def ^{:arglists '([x])
       :doc (:doc (meta #'transform/stop-gradient))}
  stop-gradient transform/stop-gradient)

;; ---------------------------------------------------------------------------------------------
;; the library

(defn error-data
  "The details of an ndgrad exception as a map: {:op \"add\" :shapes [[2 3] [4]]}; ex-data for other exceptions."
  [e]
  (if (instance? NdException e)
    (into {} (map (fn [[k v]] [(keyword k) (vectors v)])) (.data ^NdException e))
    (ex-data e)))

(defn set-num-threads!
  "Sets how many threads large ops use, including BLAS. Results do not depend on it. Returns nil. Throws ArgumentException
  unless `n` is at least 1."
  [n]
  (call/naming "set-num-threads!" (Threads/setNumThreads (Coerce/integer "n" n))))

(defn num-threads
  "How many threads large ops use."
  []
  (Threads/numThreads))

(defn set-memory-limit!
  "Sets how many bytes the pool of recycled memory holds at most; any excess is released at once, 0 switches the pool off.
  The default is a quarter of the maximum heap, or the system property ndgrad.pool.bytes. Returns nil. Throws
  ArgumentException unless `bytes` is a whole number that is not negative.

  Example: (nd/set-memory-limit! 100000000)"
  [bytes]
  (when-not (int? bytes)
    (call/fail "set-memory-limit!" "a whole number of bytes" bytes))
  (call/naming "set-memory-limit!" (Memory/setLimit (long bytes))))

(defn- keywords
  "Java maps and lists as Clojure's, with keywords for names."
  [x]
  (cond
    (instance? Map x) (into {} (map (fn [[k v]] [(keyword k) (keywords v)])) x)
    (instance? List x) (mapv keywords x)
    :else x))

(defn doctor
  "What ndgrad found on this machine, as data: JDK, Vector API, BLAS engines with version and path, threads, the pool of
  recycled memory, and why anything is off; `:report` is the same as text: (println (:report (nd/doctor))).

  Example: (:threads (nd/doctor))"
  []
  (let [report (Doctor/report)]
    (assoc (keywords (.asMap report)) :report (str report))))

(load "core_ops")

(defmethod print-method Array [x ^Writer w]
  (.write w (str x)))

(prefer-method print-method Array Iterable)

(defmethod print-method Index$Slice [^Index$Slice x ^Writer w]
  (.write w (pr-str (list 'nd/slice (when (.isPresent (.start x)) (.getAsLong (.start x)))
                          (when (.isPresent (.stop x)) (.getAsLong (.stop x)))
                          (.step x)))))
