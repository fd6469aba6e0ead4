(ns ndgrad.op.matrix.api
  "Rows about the Clojure functions of ops: every name of an op has one, with a docstring and
  arglists; it gives what the op gives, with options as a map and as keyword arguments; what
  modifies its argument has an exclamation mark."
  (:require
   [ndgrad.core]
   [ndgrad.op.matrix.samples :as samples]
   [ndgrad.op.matrix.tensors :as tensors]
   [ndgrad.op.matrix.values :as values])
  (:import
   (java.util List)
   (ndgrad Array NdException)
   (ndgrad.autograd Tensor)
   (ndgrad.op.matrix.samples Arr)
   (ndgrad.op.spec Op)))

(set! *warn-on-reflection* true)

(defn- tensor-of ^Tensor [x] (if (instance? Array x) (.tensor ^Array x) x))

(defn- picture
  "What a result is, in comparable form."
  [r]
  (cond
    (values/thrown? r) [(class r) (ex-message r)]
    (instance? List r) (mapv picture r)
    (or (instance? Array r) (instance? Tensor r))
    (let [t (tensor-of r)]
      [(tensors/shape t) (tensors/dtype t) (mapv tensors/bits (tensors/values t))])
    :else r))

(defn- function [op-name] (ns-resolve 'ndgrad.core (symbol op-name)))

(defn- row [op what problem] {:case {:op op}, :layout what, :problem problem})

(defn- names [^Op op] (cons (.name op) (.aliases (.spec op))))

(defn- described [op-name]
  (let [v (function op-name)]
    (cond
      (nil? v) "no function"
      (not (:doc (meta v))) "no docstring"
      (not (:arglists (meta v))) "no arglists")))

(defn- keyword-args [options] (mapcat (fn [[k v]] [(keyword k) v]) options))

(defn- agrees
  "What differs between a Clojure function's result and the op's."
  [c op-name style]
  (let [expected (values/attempt #(tensors/call c tensors/tensor))
        [positional options] (tensors/call-args c tensors/tensor true)
        positional (if (= op-name "get") (apply list* positional) positional)
        f @(function op-name)
        r (values/attempt
            #(case style
               :map (apply f (cond-> (vec positional)
                               (seq options) (conj (update-keys options keyword))))
               :keywords (apply f (concat positional (keyword-args options)))))]
    (when (not= (picture expected) (picture r))
      (str "gives " (if (values/thrown? r) r (picture r)) " instead of " (picture expected)))))

(defn- modifies [c op-name]
  (let [[positional options] (tensors/call-args c tensors/tensor true)
        expected (values/attempt #(tensors/call c tensors/tensor))
        target (first positional)
        f @(function (str op-name "!"))
        r (values/attempt #(apply f (concat positional (keyword-args options))))]
    (cond
      (instance? NdException r) nil     ; the rows of in-place forms say when
      (not (identical? r target)) "doesn't return its first argument"
      (not= (picture expected) (picture r))
      (str "gives " (picture r) " instead of " (picture expected)))))

(defn rows
  "Every row of an op."
  [^Op op]
  (let [cases (filter #(= "float64" (:variant %)) (samples/cases op))]
    (concat
      (for [n (names op)] (row op (keyword n) (described n)))
      (for [n (names op) :when (.isInPlace (.spec op))]
        (row op (keyword (str n "!")) (described (str n "!"))))
      (for [c cases
            style (if (seq (:options c)) [:map :keywords] [:map])]
        (assoc (row op style (agrees c (.name op) style)) :case c))
      (for [c cases
            :when (and (.isInPlace (.spec op)) (instance? Arr (first (:positional c))))]
        (assoc (row op :in-place (modifies c (.name op))) :case c))
      (for [c (samples/failures op)]
        (assoc (row op :error (agrees c (.name op) :map)) :case c)))))
