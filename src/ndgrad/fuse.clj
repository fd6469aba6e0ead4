(ns ndgrad.fuse
  "Fusion of functions over nested data of Arrays: what ndgrad.Fuse does for lists of Arrays.

  fuse         fuses the ops of a function into fewer kernels
  fuse-report  how a function was fused, or why not"
  (:require
   [ndgrad.call :as call]
   [ndgrad.tree :as tree :refer [array? pick put]])
  (:import
   (java.util Collection List Map)
   (java.util.function Function)
   (ndgrad ArgumentException Fuse Fuse$All Fuse$Formed)))

(set! *warn-on-reflection* true)

(def ^:private most-structures
  "Structures of arguments, and numbers in them, for which a function is fused."
  32)

(def ^:private too-many
  (str "it was called with more than " most-structures
       " structures of arguments and numbers in them; pass numbers that change as Arrays"))

(def ^:private changeable
  "it takes a Java array or collection, whose elements may change, as an argument; pass an Array or Clojure data")

(defn- changeable?
  "Whether a leaf is something of Java's with elements."
  [x]
  (or (instance? Collection x) (instance? Map x) (and (some? x) (.isArray (class x)))))

(defn- number-kind
  "The type and value of a number, -0 and NaN included: another one may give another dtype or another result."
  [x]
  [(class x) (condp instance? x
               Double (Double/doubleToLongBits x)
               Float (Float/floatToIntBits x)
               x)])

(defn- kind-of
  "What tells arguments of one kind from others: the types of collections, the keys in their order, and constants. Maps
  that are equal but in another order have their Arrays in other places."
  [x]
  (cond
    (array? x) ::array
    (map? x) (persistent! (reduce (fn [out e] (conj! (conj! out (key e)) (kind-of (val e)))) (transient [(class x)]) x))
    (set? x) [(class x) (mapv kind-of x)]
    (sequential? x) [(vector? x) (mapv kind-of x)]
    (number? x) (number-kind x)
    :else x))

(defn- fused-for
  "`f` of arguments of the structure and with the constants of `args`, fused."
  ^Fuse$All [f args]
  (let [arrays? (every? array? args)
        constants (tree/structure args)]
    (Fuse/formed (reify Function
                   (apply [_ xs]
                     (let [y (tree/as-arrays (if arrays? (apply f xs) (apply f (put constants array? xs identity))))]
                       (Fuse$Formed. (pick array? y) (if (array? y) ::array (tree/structure y)))))))))

(defn fuse
  "A function with the results and derivatives of `f`, up to rounding, in fewer kernels. It traces `f` once per signature of
  its arguments: structure, dtypes, shapes, numbers and other constants, and which require a gradient. From then on a chain
  of elementwise ops, together with the sum, mean, variance or logsumexp that follows it, is one step, forward and backward,
  without intermediate arrays. It takes nested data, and composes with the other transforms in any order: (fuse (grad f))
  fuses the whole gradient.

  Values, gradients and tangents differ from those of `f` only by rounding, also where they are infinite, NaN or -0.
  Derivatives of derivatives, derivatives of variances, standard deviations and logsumexps, and gradients that several
  elements or results send to one value multiply the same factors in another order, so they may differ where a factor or an
  intermediate product is 0, infinite or NaN.

  `f` must be pure. Numbers and Arrays that it closes over are constants, as they were when it was traced (though later
  in-place writes to such an Array are seen), and side effects such as printing happen only then. A number that varies from
  call to call should be an Array. If `f` branches on an element, reads or writes elements, draws random numbers or calls
  functions with custom rules, or if an argument is a Java array or collection, whose elements may change, it runs unfused;
  `fuse-report` says why.

  Example: ((nd/fuse (fn [x] (nd/* x (nd/tanh (nd/log1p (nd/exp x)))))) (nd/array [0.5 1.0]))"
  [f]
  (let [f (call/callable "fuse" f)
        plans (atom {})
        others (atom {})
        plan (fn [kind args]
               (get (swap! plans #(if (or (% kind) (<= most-structures (count %)))
                                    %
                                    (assoc % kind (fused-for f args))))
                    kind))
        run (fn [args]
              (let [arrays? (every? array? args)
                    kind (if arrays? (count args) (kind-of args))
                    known (@plans kind)
                    fixed? (or known (not-any? changeable? (tree/leaves args)))
                    fused (or known (when fixed? (plan kind args)))]
                (if fused
                  (let [^Fuse$Formed ys (.run ^Fuse$All fused (if arrays? args (pick array? args)))]
                    (if (= ::array (.form ys))
                      (.get (.values ys) 0)
                      (put (.form ys) array? (.values ys) identity)))
                  (do (swap! others update (if fixed? too-many changeable) (fnil inc 0))
                      (tree/as-arrays (apply f args))))))]
    (with-meta
      (fn
        ([] (run []))
        ([x] (run [x]))
        ([x y] (run [x y]))
        ([x y z] (run [x y z]))
        ([x y z & more] (run (into [x y z] more))))
      {::plans plans, ::others others})))

(defn fuse-report
  "How a function returned by `fuse` was fused so far: a vector with a map for each signature of arguments it was called
  with. `:arguments` are the dtypes and shapes of its arrays, `:calls` the number of calls, `:steps` a line for each step,
  and `:fallback`, if it runs unfused, the reason. Throws ArgumentException for any other function.

  Example: (let [f (nd/fuse (fn [x] (nd/sum (nd/sin (nd/* 2.0 x)))))] (f (nd/ones [3])) (nd/fuse-report f))"
  [f]
  (if-let [{::keys [plans others]} (when (::plans (meta f)) (meta f))]
    (into (mapv (fn [[reason n]] {:arguments [] :calls n :steps [] :fallback reason}) @others)
          (comp (mapcat (fn [^Fuse$All run] (.report run)))
                (map (fn [^Map m] (into {} (map (fn [[k v]] [(keyword k) (if (instance? List v) (vec v) v)])) m))))
          (vals @plans))
    (throw (ArgumentException. "fuse-report: takes a function that fuse has made" (object-array ["op" "fuse-report"])))))
