(ns ndgrad.fuse
  "Functions of nested data of Arrays in few kernels: what ndgrad.Fuse does for lists of Arrays.

  fuse         a function in fewer kernels
  fuse-report  what has become of it"
  (:require
   [ndgrad.call :as call]
   [ndgrad.tree :as tree :refer [array? pick put]])
  (:import
   (java.util List Map)
   (java.util.function Function)
   (ndgrad ArgumentException Fuse Fuse$All Fuse$Formed)))

(set! *warn-on-reflection* true)

(def ^:private most-structures
  "Structures of arguments, and numbers in them, for which a function is fused."
  32)

(defn- kind-of
  "What tells arguments of one kind from others: the types of collections, the keys in their order, and constants. Maps
  that are equal but in another order have their Arrays in other places."
  [x]
  (cond
    (array? x) ::array
    (map? x) (persistent! (reduce (fn [out e] (conj! (conj! out (key e)) (kind-of (val e)))) (transient [(class x)]) x))
    (set? x) [(class x) (mapv kind-of x)]
    (sequential? x) [(vector? x) (mapv kind-of x)]
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
  "A function with the results and derivatives of `f`, to rounding, in fewer kernels. It runs `f` once for
  each kind of arguments (structure, dtypes, shapes, numbers and other constants, which require a
  gradient) to see which ops it applies. From then on chains of elementwise ops, with the sums,
  means, variances and logsumexps that follow them, are one step each, forward and backward, and no
  arrays are made for what is in between. It takes any nesting of data, and nests with the other
  transforms in any order: (fuse (grad f)) fuses the whole gradient.

  What is promised: values, gradients and tangents differ from those of `f` by rounding alone, also where they are
  infinite, NaN or -0. Derivatives of derivatives, and tangents of variances, deviations and logsumexps, multiply the same
  factors in another order, so that they may differ where one of these, or a product on the way, is 0, infinite or NaN.

  `f` must depend on its arguments alone and do nothing else: numbers and arrays that it takes from
  outside are those that it saw when it was traced (what is written into such an array later is
  seen), and what it prints is printed then. A number that changes from call to call should be an
  Array. Where `f` branches on an element, reads or writes elements, draws random numbers or calls
  functions with rules of their own, it runs as it is; `fuse-report` says why.

  Example: ((nd/fuse (fn [x] (nd/* x (nd/tanh (nd/log1p (nd/exp x)))))) (nd/array [0.5 1.0]))"
  [f]
  (let [f (call/callable "fuse" f)
        plans (atom {})
        others (atom 0)
        plan (fn [kind args]
               (get (swap! plans #(if (or (% kind) (<= most-structures (count %)))
                                    %
                                    (assoc % kind (fused-for f args))))
                    kind))
        run (fn [args]
              (let [arrays? (every? array? args)
                    kind (if arrays? (count args) (kind-of args))
                    fused (or (@plans kind) (plan kind args))]
                (if fused
                  (let [^Fuse$Formed ys (.run ^Fuse$All fused (if arrays? args (pick array? args)))]
                    (if (= ::array (.form ys))
                      (.get (.values ys) 0)
                      (put (.form ys) array? (.values ys) identity)))
                  (do (swap! others inc)
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
  "What `fuse` has made of a function so far, a vector with a map for each kind of arguments it was
  called with: `:arguments`, the dtypes and shapes of its arrays; `:calls`, how often; `:steps`, what
  is done, a line each; and where it is run as it is, `:fallback`, the reason. Throws
  ArgumentException for a function that `fuse` has not made.

  Example: (let [f (nd/fuse (fn [x] (nd/sum (nd/sin (nd/* 2.0 x)))))] (f (nd/ones [3])) (nd/fuse-report f))"
  [f]
  (if-let [{::keys [plans others]} (when (::plans (meta f)) (meta f))]
    (into (if (pos? @others)
            [{:arguments [] :calls @others :steps []
              :fallback (str "it was called with more than " most-structures
                             " structures of arguments and numbers in them; pass numbers that change as Arrays")}]
            [])
          (comp (mapcat (fn [^Fuse$All run] (.report run)))
                (map (fn [^Map m] (into {} (map (fn [[k v]] [(keyword k) (if (instance? List v) (vec v) v)])) m))))
          (vals @plans))
    (throw (ArgumentException. "fuse-report: takes a function that fuse has made" (object-array ["op" "fuse-report"])))))
