(ns ndgrad.op.matrix.values
  "Rows about results: values, shapes and dtypes against the oracle; the same under every layout; no
  input changed; no storage shared but by views."
  (:require
   [ndgrad.op.matrix.expected :as expected]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors])
  (:import
   (ndgrad NdException)
   (ndgrad.op.spec Composite Elementwise View)))

(set! *warn-on-reflection* true)

(def viewing
  "Composite ops that give views: always, or for some arguments. `View` ops do by construction."
  {"split" :always, "chunk" :always, "get" :at-times})

(def otherwise
  "Ops that go their own way for some dtypes of their first array, and why; their docs say so."
  {["round" "bool"] "bool is returned as it is; NumPy gives float16, or refuses"})

(defn- own-way [c]
  (otherwise [(samples/op-name (:op c)) (:dtype (first (samples/arrays c)))]))

(defn attempt
  "The result of a thunk, or the exception that it threw."
  [thunk]
  (try (thunk) (catch Throwable e e)))

(defn thrown? [r] (instance? Throwable r))

;; ---- against the oracle -----------------------------------------------------------------------

(defn- dtype-fits?
  "NumPy's float16 and int8 become the nearest of ours."
  [theirs ours]
  (case theirs
    "float16" (samples/floating? ours)
    ("int8" "uint8" "int16") (#{"int32" "int64"} ours)
    (= theirs ours)))

(defn- differing
  "What is wrong with a tensor, nil when it is as expected."
  [op {:keys [dtype shape elements]} t]
  (let [rel (tensors/tolerance (if (= dtype "float64") (tensors/dtype t) dtype) 0.0)
        size (max 1e-3 (double (tensors/magnitude elements)))
        abs (if (instance? Elementwise op) 0.0 (* (double rel) size))
        actual (tensors/values t)]
    (cond
      (not= shape (tensors/shape t)) (str "shape " (tensors/shape t) ", expected " shape)
      (not (dtype-fits? dtype (tensors/dtype t)))
      (str "dtype " (tensors/dtype t) ", expected " dtype)
      :else
      (first (for [[i e a] (map vector (range) elements actual)
                   :when (not (tensors/close? e a rel abs))]
               (str "element " i " is " a ", expected " e " in " dtype))))))

(defn- against-oracle [c expected r]
  (let [{:keys [arrays host error]} expected
        found (tensors/results r)]
    (cond
      (nil? expected) "no expected value: run bin/oracle"
      (own-way c) nil
      error (when-not (instance? NdException r) (str "gives a result where the oracle says " error))
      (thrown? r) (str "throws " r)
      (contains? expected :host) (when (not= host r) (str "is " r ", expected " host))
      (not= (count arrays) (count found)) (str (count found) " arrays, expected " (count arrays))
      :else (some identity (map #(differing (:op c) %1 %2) arrays found)))))

;; ---- inputs -----------------------------------------------------------------------------------

(defn- changed
  "What a call did to its inputs, nil for nothing."
  [before made]
  (first (for [[input t] made :when (not= (before input) (tensors/picture t))]
           (str "input " input " was changed"))))

(defn- aliasing
  "Whether a result shares storage with an input, and should not, or should."
  [c layout r made]
  (let [storages (into #{} (map (fn [[_ t]] (System/identityHashCode (tensors/storage t)))) made)
        shares? (fn [t] (contains? storages (System/identityHashCode (tensors/storage t))))]
    (cond
      (or (instance? View (:op c)) (= :always (viewing (samples/op-name (:op c)))))
      (when (and (= layout :contiguous) (not-every? shares? (tensors/results r)))
        "a view that shares no storage")
      (viewing (samples/op-name (:op c))) nil
      :else
      (when (some shares? (tensors/results r)) "the result shares its storage with an input"))))

;; ---- layouts ----------------------------------------------------------------------------------

(defn contiguous-twin
  "The case with the elements that another layout gives its arrays."
  [c layout]
  (if (not= layout :broadcast)
    c
    (let [twin (fn twin [v]
                 (cond
                   (instance? ndgrad.op.matrix.samples.Arr v)
                   (assoc v :elements (tensors/values (tensors/tensor v :broadcast)))
                   (vector? v) (mapv twin v)
                   :else v))]
      (-> c
          (update :positional twin)
          (update :options update-vals twin)
          (update :named (fn [named] (mapv (fn [[p v]] [p (twin v)]) named)))))))

(defn- same-result
  "What differs between results that must be the same."
  [op r twin]
  (let [a (tensors/results r), b (tensors/results twin)]
    (cond
      (and (thrown? r) (thrown? twin))
      (when (not= (class r) (class twin)) (str "throws " r " instead of " twin))
      (thrown? r) (str "throws " r)
      (empty? a) (when (not= r twin) (str "is " r " instead of " twin))
      :else
      (some identity
            (for [[x y] (map vector a b)
                  :let [vx (tensors/values x), vy (tensors/values y)
                        rel (tensors/tolerance (tensors/dtype y) 0.0)
                        abs (* (double rel) (double (tensors/magnitude vy)))]]
              (cond
                (not= [(tensors/shape x) (tensors/dtype x)] [(tensors/shape y) (tensors/dtype y)])
                "another shape or dtype than for a contiguous array"
                (if (tensors/exact? op)
                  (tensors/same-bits? vx vy)
                  (tensors/all-close? vy vx rel abs))
                nil
                :else (str vx " instead of " vy)))))))

;; ---- rows -------------------------------------------------------------------------------------

(defn- row
  "A row: {:case, :layout, :problem}; the problem is nil when all is well."
  [c layout expected]
  (let [[make made] (tensors/maker layout)
        before (volatile! nil)
        args (tensors/call-args c make)
        _ (vreset! before (update-vals (made) tensors/picture))
        r (attempt #(tensors/call-with (:op c) args))]
    {:case c, :layout layout
     :problem (or (when (and (thrown? r) (not (instance? NdException r))) (str "throws " r))
                  (changed @before (made))
                  (when-not (thrown? r) (aliasing c layout r (made)))
                  (if (= layout :contiguous)
                    (against-oracle c expected r)
                    (let [twin (contiguous-twin c layout)
                          [make _] (tensors/maker :contiguous)]
                      (same-result (:op c) r (attempt #(tensors/call twin make))))))}))

(defn rows
  "Every row of an op: each case in each layout."
  [op]
  (let [expected (:cases (expected/of op))
        oracle? (not (contains? expected/without-oracle (samples/op-name op)))]
    (for [c (samples/cases op)
          layout (cons :contiguous (tensors/applicable c))
          :when (or oracle? (not= layout :contiguous))]
      (row c layout (some-> (get expected (:id c)) deref)))))

(defn report
  "A line about a row that failed."
  [{:keys [case layout problem]}]
  (str (samples/describe case) (when layout (str ", " (name layout))) ": " problem))
