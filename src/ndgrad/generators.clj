(ns ndgrad.generators
  "test.check generators of Arrays and related data, part of ndgrad.check. They shrink to small shapes first, then to the
  row-major layout, then to simple values.

  dtypes, shapes  dtype floating-dtype shape broadcastable
  elements        values
  arrays          array arrays layouts
  around them     index tree"
  (:require
   [clojure.string :as str]
   [clojure.test.check.generators :as gen]
   [ndgrad.call :as call]
   [ndgrad.core :as nd])
  (:import
   (ndgrad ArgumentException Array DType)
   (ndgrad.op.spec Coerce)))

(set! *warn-on-reflection* true)

(def floating-dtype
  "A generator of :float64 and :float32."
  (gen/elements [:float64 :float32]))

(def dtype
  "A generator of all dtypes."
  (gen/elements [:float64 :float32 :int64 :int32 :bool]))

(defn- one-of-them
  "A generator of what an option says, one value or a generator of such, or by default `usual`; `check` returns or
  refuses a value."
  [option usual check]
  (cond (nil? option) usual
        (gen/generator? option) (gen/fmap check option)
        :else (gen/return (check option))))

(defn- count-of
  "Argument `n` of `op`, how many to make."
  [op n]
  (let [found (call/naming op (Coerce/integer "n" n))]
    (if (neg? (long found)) (call/fail op "how many to make" n) found)))

(defn- sides
  "Argument or option `x` of `op`, which must be a shape, as a vector."
  [op x]
  (let [found (call/naming op (vec (Coerce/integers "shape" x)))]
    (if (some neg? found) (call/fail op "a shape, whose sides are not negative" x) found)))

(def ^:private shape-options [:min-dims :max-dims :min-side :max-side])

(defn- range-of
  "[least most] as the options `from` and `to` say; where they do not, from 0 to `usual`, or more where the least is."
  [op options from to usual]
  (call/naming op
    (let [least (Coerce/integer (name from) (call/given options from 0))
          most (Coerce/integer (name to) (call/given options to (max (long least) (long usual))))]
      (if (<= 0 (long least) (long most))
        [least most]
        (call/fail op (str "0 <= " from " <= " to) [least most])))))

(defn- shapes
  "What `shape` makes, for `op`."
  [op options]
  (let [[min-dims max-dims] (range-of op options :min-dims :max-dims 3)
        [min-side max-side] (range-of op options :min-side :max-side 4)]
    (gen/vector (if (and (zero? min-side) (pos? max-side))
                  (gen/frequency [[15 (gen/choose 1 max-side)] [1 (gen/return 0)]])
                  (gen/choose min-side max-side))
                min-dims max-dims)))

(defn shape
  "A generator of shapes with `:min-dims` (0) to `:max-dims` (3) dimensions of length `:min-side` (0) to `:max-side` (4);
  length 0 is rare. A maximum that is not given is at least the minimum."
  [& more]
  (shapes "shape" (call/options "shape" more shape-options)))

(defn- broadcasting
  "A generator of vectors of `n` shapes of at least `min-dims` dimensions that broadcast together to what `wholes`
  makes or less."
  [n wholes min-dims]
  (gen/let [whole wholes
            members (gen/vector (gen/tuple (gen/choose 0 (count whole))
                                           (gen/vector (gen/frequency [[3 (gen/return false)] [1 (gen/return true)]])
                                                       (count whole)))
                                n)]
    (mapv (fn [[dropped ones]]
            (vec (drop (min dropped (- (count whole) min-dims))
                       (map #(if %2 1 %1) whole ones))))
          members)))

(defn broadcastable
  "A generator of vectors of `n` shapes that broadcast together; options as for `shape`."
  [n & more]
  (let [options (call/options "broadcastable" more shape-options)]
    (broadcasting (count-of "broadcastable" n) (shapes "broadcastable" options) (call/given options :min-dims 0))))

(def ^:private domain-options [:low :high :kinks :margin])

(defn- domain
  "The options of `values`, as numbers."
  [op options]
  (call/naming op
    (let [number (fn [what x]
                   (let [x (Coerce/real what x)]
                     (if (Double/isFinite x) x (call/fail op (str "a finite number for " what) x))))
          low (number "low" (call/given options :low -3))
          high (number "high" (call/given options :high 3))
          margin (number "margin" (call/given options :margin 1/4))
          kinks (call/given options :kinks [])]
      (when (< high low) (call/fail op ":low <= :high" [low high]))
      (when (neg? margin) (call/fail op "a :margin that is not negative" margin))
      (when-not (sequential? kinks) (call/fail op "a vector of numbers for :kinks" kinks))
      {:low low, :high high, :margin margin, :kinks (mapv #(number "each of kinks" %) kinks)})))

(defn- parts
  "Into how many parts a whole must be cut to make up `x`: a power of two."
  [x]
  (first (filter #(== (* x %) (Math/rint (* x %))) (iterate #(* 2 %) 1))))

(defn- multiples
  "The multiples of `unit` in a domain, simplest first."
  [{:keys [low high kinks margin]} unit]
  (->> (range (long (Math/ceil (/ low unit))) (inc (long (Math/floor (/ high unit)))))
       (map #(* unit %))
       (filter (fn [x] (every? #(<= margin (abs (- x %))) kinks)))
       (sort-by (fn [x] [(parts x) (abs x) (neg? x)]))))

(defn- holds?
  "Whether `dtype` has the number `x`."
  [dtype ^double x]
  (case dtype
    :float64 true
    :float32 (== x (unchecked-float x))
    :int32 (== x (unchecked-int x))
    :int64 (== x (unchecked-long x))
    :bool (or (== x 0) (== x 1))))

(def ^:private most-multiples
  "A domain is cut into about as many values at most, unless more are needed."
  1024)

(defn- pool
  "At least `n` values of a domain that all of `dtypes` have, simplest first."
  [op {:keys [low high] :as domain} dtypes n]
  (let [bits? (some #{:bool} dtypes)
        least (Math/ulp (double (max (abs low) (abs high))))
        spread (- (/ high most-multiples) (/ low most-multiples))]
    (loop [unit (first (drop-while #(< % (max spread least)) (iterate #(* 2.0 %) 0.25)))]
      (let [found (filterv (fn [x] (every? #(holds? % x) dtypes))
                           (if bits? [1.0 0.0] (multiples domain unit)))]
        (cond
          (<= n (count found)) found
          (and (not bits?) (< (max least (/ 1.0 4096)) unit)) (recur (/ unit 2.0))
          :else (throw (.during (ArgumentException.
                                  (str "expected at least " n " values, found " (count found) " from " low " to " high
                                       " in " (str/join " and " (map name (clojure.core/distinct dtypes)))
                                       "; widen the domain, lower :margin or make fewer elements")
                                  (object-array ["low" low "high" high "count" (count found)]))
                                op)))))))

(defn values
  "A generator of numbers: multiples of 1/4 from `:low` (-3) to `:high` (3), at least `:margin` (1/4) away from each of
  `:kinks`, where gradients jump. A narrow domain has finer steps, a wide one coarser. Shrinks to whole numbers, then to
  small ones."
  [& more]
  (let [options (call/options "values" more domain-options)]
    (gen/elements (pool "values" (domain "values" options) [:float64] 1))))

(defn- elements-of
  "A generator of `n` elements that all of `dtypes` have, as doubles."
  [op {:keys [domain distinct]} dtypes n]
  (let [values (pool op domain dtypes (if distinct n 1))]
    (if distinct
      (gen/fmap #(subvec % 0 n) (gen/shuffle values))
      (gen/vector (gen/elements values) n))))

(def layouts
  "The memory layouts that `array` generates. A layout that is impossible for a shape becomes :contiguous. The last one
  repeats elements."
  [:contiguous :offset :transposed :stepped :reversed :broadcast])

(defn- lay-out
  "An Array of given elements (of the first row only for :broadcast)."
  [elements shape dtype layout]
  (let [a (nd/reshape (nd/array (vec elements) {:dtype dtype}) shape)
        n (count shape)]
    (cond
      (= layout :offset)
      (nd/get (nd/stack [(nd/zeros-like a) a]) 1)

      (zero? n) a

      (= layout :transposed)
      (nd/T (nd/copy (nd/T a)))

      (= layout :stepped)
      (nd/get (nd/repeat a 2 {:axis -1}) :ellipsis (nd/slice nil nil 2))

      (= layout :reversed)
      (nd/flip (nd/copy (nd/flip a)))

      (and (= layout :broadcast) (pos? (long (first shape))))
      (nd/broadcast-to (nd/copy (nd/get a (nd/slice 0 1))) shape)

      :else a)))

(defn- array-options
  "The options of `array` in the trailing arguments `more`, as generators `:shape`, `:layout` and `:dtype`, the `:domain`,
  the least rank, and whether `:distinct`."
  [op more]
  (let [options (call/options op more (into [:shape :dtype :layout :distinct] (concat domain-options shape-options)))
        distinct (call/naming op (Coerce/flag "distinct" (call/given options :distinct false)))
        possible (if distinct (pop layouts) layouts)]
    {:distinct distinct
     :min-dims (call/given options :min-dims 0)
     :domain (domain op options)
     :shape (one-of-them (:shape options) (shapes op options) #(sides op %))
     :layout (one-of-them (:layout options)
                          (gen/elements possible)
                          #(if (some #{%} possible)
                             %
                             (call/fail op (str "for :layout one of " possible (when distinct ", as elements are distinct"))
                                        %)))
     :dtype (one-of-them (:dtype options) (gen/return :float64) #(call/naming op (keyword (str (DType/of %)))))}))

(defn- arrays-of
  "A generator of vectors of Arrays of `shapes`, with options as `array-options` makes them. Distinct elements are so
  among all of them."
  [op shapes {:keys [layout dtype] :as options}]
  (gen/bind
    (gen/tuple (gen/vector layout (count shapes)) (gen/vector dtype (count shapes)))
    (fn [[layouts dtypes]]
      (let [sizes (map #(reduce * %) shapes)]
        (gen/fmap (fn [elements]
                    (mapv (fn [from size shape dtype layout]
                            (lay-out (subvec elements from (+ from size)) shape dtype layout))
                          (reductions + 0 sizes) sizes shapes dtypes layouts))
                  (elements-of op options dtypes (reduce + sizes)))))))

(defn- array-of
  "A generator of Arrays of a shape."
  [op shape options]
  (gen/fmap first (arrays-of op [shape] options)))

(defn array
  "A generator of Arrays. Options: those of `values` and `shape`; `:shape`, a fixed shape or a generator; `:dtype`
  (:float64), a dtype or a generator; `:layout`, one of `layouts` or a generator, by default any; `:distinct true`, for
  functions with kinks at ties, such as max and sort: no two elements are equal, and no layout is :broadcast. If the domain
  has too few values for that, generating throws an ArgumentException.

  Example: (check/array {:shape [3 3] :low 0.5 :high 2})"
  [& more]
  (let [{:keys [shape] :as options} (array-options "array" more)]
    (gen/bind shape #(array-of "array" % options))))

(defn arrays
  "A generator of vectors of `n` Arrays whose shapes broadcast together, to `:shape` if it is given. Options are those of
  `array`, or a vector with the options of each Array, for different domains; the shape options are taken from the first.
  With `:distinct true` in a map of options no two elements of all the Arrays are equal.

  Example: (check/arrays 2 {:layout :contiguous})"
  [n & more]
  (let [n (count-of "arrays" n)
        own (when (vector? (first more)) (first more))
        _ (when (and own (or (next more) (not= n (count own))))
            (call/fail "arrays" (str "options for each of " n " arrays") (if (next more) more own)))
        each (if own (mapv #(array-options "arrays" [%]) own) (vec (repeat n (array-options "arrays" more))))
        {:keys [shape min-dims]} (or (first each) (array-options "arrays" nil))]
    (gen/bind
      (broadcasting n shape min-dims)
      (fn [shapes]
        (if (and (not own) (:distinct (first each)))
          (arrays-of "arrays" shapes (first each))
          (apply gen/tuple (map #(array-of "arrays" %1 %2) shapes each)))))))

(defn- basic-item
  "A generator of an index of an axis that gives a view."
  [^long side]
  (let [end (gen/elements (into [nil] (range (- side) (inc side))))
        slices (gen/fmap (fn [[a b s]] (nd/slice a b s))
                         (gen/tuple end end (gen/elements [nil 1 2 -1 -2])))]
    (if (zero? side)
      (gen/one-of [(gen/return :all) slices])
      (gen/frequency [[1 (gen/return :all)] [2 (gen/choose (- side) (dec side))] [3 slices]]))))

(defn index
  "A generator of index vectors for an Array of shape `shape`, for `(apply nd/get x index)`: integers, slices with any step,
  :all, :newaxis, :ellipsis, and, unless `:basic true`, vectors of integers or booleans.

  Example: (check/index [3 4] {:basic true})"
  [shape & more]
  (let [options (call/options "index" more [:basic])
        shape (sides "index" shape)
        basic (call/naming "index" (Coerce/flag "basic" (call/given options :basic false)))
        n (count shape)]
    (gen/let [style (if (or basic (zero? n) (some zero? shape))
                      (gen/return :basic)
                      (gen/elements [:basic :vectors :mask]))
              length (gen/choose 1 3)
              chosen (gen/choose 0 (max 0 (dec n)))
              both (gen/elements [false true])
              used (gen/choose 0 n)
              extra (gen/elements [nil :newaxis :ellipsis])
              place (gen/choose 0 n)
              items (apply gen/tuple
                           (map-indexed
                             (fn [i side]
                               (cond
                                 (and (= style :vectors) (or (= i chosen) both))
                                 (gen/vector (gen/choose (- side) (dec side)) length)
                                 (and (= style :mask) (= i chosen)) (gen/vector gen/boolean side)
                                 :else (basic-item side)))
                             shape))]
      (let [kept (vec (take (if (= style :basic) used n) items))
            at (min place (count kept))]
        (if (and extra (or (= extra :newaxis) (= at (count kept))))
          (into (conj (subvec kept 0 at) extra) (subvec kept at))
          kept)))))

(defn tree
  "A generator of nested vectors and maps whose leaves come from the generator `leaf`.

  Example: (check/tree (check/array {:max-dims 1}))"
  [leaf]
  (when-not (gen/generator? leaf) (call/fail "tree" "a generator of leaves" leaf))
  (gen/recursive-gen
    (fn [inner]
      (gen/one-of [(gen/vector inner 0 3)
                   (gen/map (gen/elements [:w :b :layers]) inner {:max-elements 3})]))
    leaf))
