(ns ndgrad.check
  "Gradient checks, and generators of inputs for them, for your own test suite. Needs org.clojure/test.check on the class
  path; ndgrad.core does not.

  checks       gradcheck gradgradcheck agreement linearity batching purity: each takes a function and a vector of
               arguments and returns a report, {:pass? true …} or {:pass? false :failures [{:kind :gradient :input 0
               :element [1 2] :analytic … :numeric … :tolerance …} …] …}
  assertions   assert-gradients throws if a gradcheck fails
  properties   gradient-property second-order-property agreement-property linearity-property batching-property
               purity-property, and differentiable-property, which combines them; for `defspec` and `quick-check`
  generators   dtype floating-dtype shape broadcastable values array arrays index tree, and layouts, a vector of keywords;
               they shrink to small shapes first, then to the row-major layout, then to simple values

  Arguments may be any nesting of maps, vectors and records of Arrays; float64 Arrays and doubles are differentiated,
  everything else is passed as it is.

  (defspec swish-has-the-right-gradient 50
    (check/gradient-property swish [(check/array {:low -3 :high 3})]))"
  (:require
   [clojure.string :as str]
   [clojure.test.check.generators :as gen]
   [clojure.test.check.properties :as prop]
   [clojure.test.check.results :as results]
   [ndgrad.call :as call]
   [ndgrad.core :as nd]
   [ndgrad.generators :as generators]
   [ndgrad.tree :as tree])
  (:import
   (java.util.function Function)
   (ndgrad Array GradCheck GradCheck$Failure GradCheck$Report GradCheck$Settings)
   (ndgrad.kernel.rows Gather)
   (ndgrad.op.spec Coerce)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; arguments as lists of arrays

(defn- paths
  "The path of every leaf of `x`, in the order of `tree/leaves`."
  [x]
  (cond
    (map? x) (into [] (mapcat (fn [[k v]] (map #(into [k] %) (paths v)))) x)
    (or (sequential? x) (set? x)) (into [] (mapcat (fn [i v] (map #(into [i] %) (paths v))) (range) x))
    :else [[]]))

(defn- numeric? [x] (or (nd/array? x) (double? x)))

(defn- arrays-in
  "The Arrays and doubles in `x` as Arrays."
  [x]
  (tree/pick numeric? x))

(defn- places
  "The paths of the Arrays and doubles in `x`."
  [x]
  (into [] (keep (fn [[path leaf]] (when (numeric? leaf) path))) (map vector (paths x) (tree/leaves x))))

(defn- with-arrays
  "`x` with other Arrays in the places of its Arrays and doubles."
  [x arrays]
  (tree/put x numeric? arrays identity))

(defn- arguments
  "Argument `inputs` of the check `op`, as a vector."
  [op inputs]
  (if (sequential? inputs) (vec inputs) (call/fail op "a vector of arguments" inputs)))

(defn- results-of
  "The Arrays and doubles in the result of `f`, which is run several times: each must have its place."
  [op f args]
  (let [y (tree/check-places "the result of the function to check" numeric? (apply f args))
        arrays (arrays-in y)]
    (if (seq arrays) arrays (call/fail op "a function that returns an Array or double, or data with some" y))))

(defn- on-arrays
  "`f`, of arguments like `inputs`, as the Java core has functions: from a list of Arrays to a list of Arrays."
  ^Function [op f inputs]
  (let [f (call/callable op f)]
    (reify Function
      (apply [_ arrays] (results-of op f (with-arrays inputs arrays))))))

;; ---------------------------------------------------------------------------------------------
;; reports

(def ^:private gradcheck-options [:step :rtol :atol :full-up-to :projections :seed])

(defn- settings
  ^GradCheck$Settings [op more]
  (let [options (call/options op more gradcheck-options)
        d GradCheck$Settings/DEFAULT]
    (call/naming op
      (GradCheck$Settings. (Coerce/real "step" (call/given options :step (.step d)))
                           (Coerce/real "rtol" (call/given options :rtol (.rtol d)))
                           (Coerce/real "atol" (call/given options :atol (.atol d)))
                           (Coerce/whole "full-up-to" (call/given options :full-up-to (.fullUpTo d)))
                           (Coerce/integer "projections" (call/given options :projections (.projections d)))
                           (Coerce/whole "seed" (call/given options :seed (.seed d)))))))

(defn- at-input
  "Which argument, and where in it, when it is not an Array itself."
  [[i & path]]
  (cond-> {:input i} path (assoc :path (vec path))))

(defn- failure
  [^GradCheck$Failure f input-places output-places]
  (let [place (nth input-places (.input f) nil)
        out (nth output-places (.output f) nil)]
    (merge {:kind (keyword (str/replace (str/lower-case (str (.kind f))) "_" "-"))
            :element (vec (.element f))
            :analytic (.analytic f)
            :numeric (.numeric f)
            :tolerance (.tolerance f)
            :message (cond-> (str f)
                       (and place (not= place [(.input f)]))
                       (str " (input " (.input f) " is argument " (first place) " at " (vec (rest place)) ")"))}
           (when place (at-input place))
           (when (nat-int? (.output f)) {:output-element (vec (.outputElement f))})
           (when (seq out) {:output-path out}))))

(defn- report
  [check ^GradCheck$Report r input-places output-places]
  {:check check
   :pass? (.passed r)
   :mode (if (.full r) :full :projected)
   :compared (.compared r)
   :failed (.failed r)
   :failures (mapv #(failure % input-places output-places) (.failures r))})

(defn- with-failures [check failures]
  {:check check, :pass? (empty? failures), :failures (vec (take 16 failures))})

(defn- output-places
  "The places of the results; the inputs are copied first, as f may be what is wrong."
  [f inputs]
  (places (apply f (with-arrays inputs (map nd/copy (arrays-in inputs))))))

;; ---------------------------------------------------------------------------------------------
;; checks

(defn gradcheck
  "Compares the gradients of `f` at `inputs`, a vector of arguments, with central differences; returns a report as data.

  All entries of the Jacobian are compared if there are at most `:full-up-to` (4096), otherwise `:projections` (4) random
  projections per input; a projection that differs is narrowed down to an entry. An entry passes when
  |analytic - numeric| <= atol + rtol * |numeric| + a bound for rounding in f, with `:rtol` 1e-5, `:atol` 1e-6 and a step of
  `:step` * max(1, |x|), by default 6e-6. Options are a map or keyword arguments. The check also fails if `f` modifies its
  inputs or returns something else when called again. Throws DTypeException when an input or result is float32,
  ShapeException when `f` returns another number of Arrays or other shapes when called again, ArgumentException when it
  returns nothing to differentiate. At kinks the differences are wrong: choose inputs away from them.

  Each failure has a `:kind` (:gradient :shape :modifies-input :not-deterministic), `:input`, the index of the argument,
  `:path` within it if it is nested, `:element`, `:output-element`, `:analytic`, `:numeric`, `:tolerance` and a
  `:message`.

  Example: (check/gradcheck nd/sin [(nd/array [0.5 1.0])])"
  [f inputs & more]
  (let [inputs (arguments "gradcheck" inputs)
        r (GradCheck/checkAll (on-arrays "gradcheck" f inputs) (settings "gradcheck" more) (arrays-in inputs))]
    (report :gradcheck r (places inputs) (if (.passed r) [] (output-places f inputs)))))

(defn gradgradcheck
  "Compares the second derivatives of `f` at `inputs`: `gradcheck` of (x, u) -> J(x)ᵀu for a random cotangent u. Takes the
  options of `gradcheck`. In the report, `:input :cotangent` stands for u.

  Example: (check/gradgradcheck nd/sin [(nd/array [0.5 1.0])])"
  [f inputs & more]
  (let [inputs (arguments "gradgradcheck" inputs)
        r (GradCheck/checkSecond (on-arrays "gradgradcheck" f inputs) (settings "gradgradcheck" more) (arrays-in inputs))]
    (report :gradgradcheck r (concat (places inputs) (repeat 64 [:cotangent])) [])))

(defn- element-index
  "The index of the i-th element in row-major order."
  [shape i]
  (vec (Gather/unravel (int-array [i]) (int-array shape))))

(defn- differing
  "Failures where the Arrays `expected` and `actual` differ by more than rounding."
  [kind place ^Array expected ^Array actual]
  (if (not= (nd/shape expected) (nd/shape actual))
    [(merge {:kind :shape, :expected (nd/shape expected), :actual (nd/shape actual)} place)]
    (let [a (.toDoubleArray expected)
          b (.toDoubleArray actual)
          scale (reduce (fn [^double m ^double v] (if (Double/isFinite v) (max m (abs v)) m)) 1.0 a)
          tolerance (* scale (if (= :float32 (nd/dtype expected)) 1e-4 1e-9))
          shape (nd/shape expected)]
      (for [i (range (alength a))
            :let [x (aget a i), y (aget b i)]
            :when (not (or (<= (abs (- x y)) tolerance) (= 0 (Double/compare x y))))]
        (merge {:kind kind
                :element (element-index shape i)
                :expected x, :actual y, :tolerance tolerance}
               place)))))

(defn- all-differing
  "`differing` for vectors of results, of which there must be as many."
  [kind place expected actual]
  (if (= (count expected) (count actual))
    (mapcat (fn [i a b] (differing kind (assoc place :output i) a b)) (range) expected actual)
    [(merge {:kind kind, :expected (mapv nd/shape expected), :actual (mapv nd/shape actual)} place)]))

(defn- cotangent
  "An Array of readable numbers like `x`; `seed` makes different ones."
  [seed x]
  (let [n (nd/size x)]
    (nd/reshape (nd/array (mapv #(/ (- (double (rem (* (+ seed 3) (+ % seed 1)) 7)) 3.0) 2.0) (range n))
                          {:dtype (nd/dtype x)})
                (nd/shape x))))

(defn- flat
  "`f` as a function of the Arrays in `inputs`, to the vector of the Arrays in its result."
  [op f inputs]
  (let [f (call/callable op f)]
    (fn [& arrays] (results-of op f (with-arrays inputs arrays)))))

(defn- floating? [x] (contains? #{:float64 :float32} (nd/dtype x)))

(defn- with-floating
  "`arrays`, of which one must be floating for there to be something to check."
  [op what arrays]
  (if (some floating? arrays)
    arrays
    (call/fail op (str "a floating Array or a double among " what) (mapv nd/dtype arrays))))

(defn- directions
  "A cotangent for each floating Array, nil for the others."
  [seed arrays]
  (mapv #(when (floating? %) (cotangent seed %)) arrays))

(defn linearity
  "Checks that the vjp of `f` at `inputs` is linear in the cotangent: Jᵀ(2u - v/2) = 2Jᵀu - Jᵀv/2. Returns a report.

  Example: (check/linearity nd/sin [(nd/array [0.5 1.0])])"
  [f inputs]
  (let [inputs (arguments "linearity" inputs)
        g (flat "linearity" f inputs)
        [y pullback] (apply nd/vjp g (with-floating "linearity" "the arguments" (arrays-in inputs)))
        _ (with-floating "linearity" "the results" y)
        mix (fn [u v] (when u (nd/- (nd/* u 2) (nd// v 2))))
        us (directions 0 y)
        vs (directions 1 y)]
    (with-failures
      :linearity
      (mapcat (fn [place gu gv mixed]
                (when gu (differing :not-linear (at-input place) (mix gu gv) mixed)))
              (places inputs) (pullback us) (pullback vs) (pullback (mapv mix us vs))))))

(defn- dot
  "The inner product of vectors of Arrays; nil stands for zeros."
  [as bs]
  (reduce + 0.0 (map (fn [a b] (if (and a b) (nd/item (nd/sum (nd/* a b))) 0.0)) as bs)))

(defn- disagreement
  "A failure where ⟨u, Jv⟩, of vectors, and ⟨Jᵀu, v⟩ differ by more than rounding; nil where they do not."
  [rounding us moved pulled v]
  (let [forward (dot us moved)
        analytic (dot [pulled] [v])
        sizes (fn [as] (map #(some-> % nd/abs) as))
        tolerance (* rounding (+ 1.0 (abs analytic) (dot (sizes us) (sizes moved))))]
    (when-not (<= (abs (- forward analytic)) tolerance)
      {:kind :disagreement, :analytic analytic, :forward forward, :tolerance tolerance})))

(defn agreement
  "Checks that forward and reverse mode agree for `f` at `inputs`: ⟨u, Jv⟩ = ⟨Jᵀu, v⟩, for the unit vectors v of the first 64
  elements of every input and for one dense v per input. Returns a report; `:analytic` is the result of reverse mode.

  Example: (check/agreement nd/sin [(nd/array [0.5 1.0])])"
  [f inputs]
  (let [inputs (arguments "agreement" inputs)
        g (flat "agreement" f inputs)
        arrays (with-floating "agreement" "the arguments" (arrays-in inputs))
        [y pullback] (apply nd/vjp g arrays)
        _ (with-floating "agreement" "the results" y)
        us (directions 0 y)
        pulled (pullback us)
        nothing (vec (repeat (count arrays) nil))]
    (with-failures
      :agreement
      (for [[i x] (map-indexed vector arrays)
            :when (floating? x)
            v (cons nil (map #(element-index (nd/shape x) %) (range (min 64 (nd/size x)))))
            :let [tangent (if v (nd/setitem (nd/zeros-like x) v 1.0) (cotangent 2 x))
                  [y2 moved] (nd/jvp g arrays (assoc nothing i tangent))
                  failure (or (first (all-differing :value {} y y2))
                              (disagreement (if (= :float32 (nd/dtype x)) 1e-3 1e-8)
                                            us moved (nth pulled i) tangent))]
            :when failure]
        (merge (at-input (nth (places inputs) i)) failure (when v {:element v}))))))

(defn- examples
  "Three examples that are like an Array, with its elements in other places."
  [x]
  [x (nd/flip x) (nd/reshape (nd/roll (nd/flatten x) 1) (nd/shape x))])

(defn batching
  "Checks that `vmap` of `f` equals a loop over examples: on three examples made from `inputs` by moving elements around,
  stacked along the first and along the last axis, and with the first argument shared. Returns a report.

  Example: (check/batching nd/sin [(nd/array [0.5 1.0])])"
  [f inputs]
  (let [inputs (arguments "batching" inputs)
        arrays (arrays-in inputs)
        g (flat "batching" f inputs)
        all (mapv examples arrays)
        shared-first (if (next arrays) [(into [nil] (repeat (dec (count arrays)) 0))] [])]
    (with-failures
      :batching
      (for [axes (into [(vec (repeat (count arrays) 0)) (vec (repeat (count arrays) -1))] shared-first)
            :let [batches (mapv (fn [axis x xs] (if axis (nd/stack xs {:axis axis}) x)) axes arrays all)
                  mapped (apply (nd/vmap g {:in-axes axes}) batches)]
            e (range 3)
            :let [looped (apply g (mapv (fn [axis x xs] (if axis (nth xs e) x)) axes arrays all))]
            failure (all-differing :batching {:in-axes axes, :example e} looped (mapv #(nd/get % e) mapped))]
        failure))))

(defn purity
  "Checks that `f` does not modify its inputs and returns the same results when called again. `f` gets the `inputs`
  themselves, not copies. Returns a report.

  Example: (check/purity nd/sin [(nd/array [0.5 1.0])])"
  [f inputs]
  (let [inputs (arguments "purity" inputs)
        f (call/callable "purity" f)
        given (arrays-in inputs)
        call #(results-of "purity" f (with-arrays inputs given))
        before (mapv nd/copy (map nd/detach given))
        versions (mapv nd/version given)
        one (mapv (comp nd/copy nd/detach) (call))
        changed (mapcat (fn [path was version is]
                          (or (seq (differing :modifies-input (at-input path) was (nd/detach is)))
                              (when (not= version (nd/version is))
                                [(assoc (at-input path) :kind :modifies-input)])))
                        (places inputs) before versions given)]
    (with-failures
      :purity
      (or (seq changed)
          (all-differing :not-deterministic {} one (map nd/detach (call)))))))

(defn assert-gradients
  "Throws an ex-info with the report as data and the failures as message if `gradcheck` fails; otherwise returns the report,
  so it can be used in an `is`."
  [f inputs & more]
  (let [r (apply gradcheck f inputs more)]
    (if (:pass? r)
      r
      (throw (ex-info (str "the gradients are wrong:\n  " (str/join "\n  " (map :message (:failures r)))) r)))))

;; ---------------------------------------------------------------------------------------------
;; properties

(defn- described
  "An argument for a report that must show more than its elements."
  [x]
  (tree/map-leaves #(if (nd/array? %)
                      {:shape (nd/shape %), :dtype (nd/dtype %), :strides (nd/strides %), :elements (nd/tolist %)}
                      %)
                   x))

(defn- property
  "That `(check f arguments)` passes for all generated arguments; `gens` as for `gradient-property`."
  [op check f gens]
  (call/callable op f)
  (when-not (if (vector? gens) (every? gen/generator? gens) (gen/generator? gens))
    (call/fail op "a vector of generators, one per argument, or a generator of argument vectors" gens))
  (prop/for-all*
    [(if (vector? gens) (apply gen/tuple gens) gens)]
    (fn [inputs]
      (let [r (check f inputs)]
        (reify results/Result
          (pass? [_] (:pass? r))
          (result-data [_] (if (:pass? r) {} (assoc r :inputs (mapv described inputs)))))))))

(defn gradient-property
  "The property that `gradcheck` passes for `f` on all generated arguments. `gens` is a vector of generators, one per
  argument, or a generator of argument vectors. Options as for `gradcheck`.

  Example: (check/gradient-property nd/mul (check/arrays 2))"
  [f gens & more]
  (let [options (call/options "gradient-property" more gradcheck-options)]
    (property "gradient-property" #(gradcheck %1 %2 options) f gens)))

(defn second-order-property
  "The property that `gradgradcheck` passes; arguments as for `gradient-property`."
  [f gens & more]
  (let [options (call/options "second-order-property" more gradcheck-options)]
    (property "second-order-property" #(gradgradcheck %1 %2 options) f gens)))

(defn linearity-property
  "The property that `linearity` passes; arguments as for `gradient-property`."
  [f gens]
  (property "linearity-property" linearity f gens))

(defn agreement-property
  "The property that `agreement` passes; arguments as for `gradient-property`."
  [f gens]
  (property "agreement-property" agreement f gens))

(defn batching-property
  "The property that `batching` passes; arguments as for `gradient-property`."
  [f gens]
  (property "batching-property" batching f gens))

(defn purity-property
  "The property that `purity` passes; arguments as for `gradient-property`."
  [f gens]
  (property "purity-property" purity f gens))

(defn differentiable-property
  "The property that `f` is pure, has correct first and second derivatives and linear pullbacks, that forward and reverse
  mode agree, and that `vmap` gives the same values. The report is that of the first check that fails. Arguments as for
  `gradient-property`."
  [f gens & more]
  (let [options (call/options "differentiable-property" more gradcheck-options)]
    (property "differentiable-property"
              (fn [f inputs]
                (let [reports (map #(% f inputs)
                                   [purity #(gradcheck %1 %2 options) agreement linearity
                                    #(gradgradcheck %1 %2 options) batching])]
                  (or (first (remove :pass? reports)) (last reports))))
              f gens)))

;; ---------------------------------------------------------------------------------------------
;; generators

(def ^{:doc (:doc (meta #'generators/floating-dtype))}
  floating-dtype generators/floating-dtype)

(def ^{:doc (:doc (meta #'generators/dtype))}
  dtype generators/dtype)

(def ^{:arglists (:arglists (meta #'generators/shape))
       :doc (:doc (meta #'generators/shape))}
  shape generators/shape)

(def ^{:arglists (:arglists (meta #'generators/broadcastable))
       :doc (:doc (meta #'generators/broadcastable))}
  broadcastable generators/broadcastable)

(def ^{:arglists (:arglists (meta #'generators/values))
       :doc (:doc (meta #'generators/values))}
  values generators/values)

(def ^{:doc (:doc (meta #'generators/layouts))}
  layouts generators/layouts)

(def ^{:arglists (:arglists (meta #'generators/array))
       :doc (:doc (meta #'generators/array))}
  array generators/array)

(def ^{:arglists (:arglists (meta #'generators/arrays))
       :doc (:doc (meta #'generators/arrays))}
  arrays generators/arrays)

(def ^{:arglists (:arglists (meta #'generators/index))
       :doc (:doc (meta #'generators/index))}
  index generators/index)

(def ^{:arglists (:arglists (meta #'generators/tree))
       :doc (:doc (meta #'generators/tree))}
  tree generators/tree)
