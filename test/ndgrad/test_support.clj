(ns ndgrad.test-support
  "What test namespaces share."
  (:require
   [clojure.java.io :as io]
   [clojure.test :as t]
   [ndgrad.core :as nd])
  (:import
   (ndgrad Array)))

(set! *warn-on-reflection* true)

(defn skip
  "Says that the rest of the current test can't run here, and why; the caller then leaves the test.

    (deftest mkl-multiplies
      (if-not (mkl?) (skip \"MKL is not on the classpath\") (is ...)))"
  [reason]
  (t/do-report {:type :skip, :message reason}))

(defn neanderthal?
  "Whether Neanderthal is on the class path, so that ndgrad.neanderthal can be loaded."
  []
  (boolean (or (io/resource "uncomplicate/neanderthal/core.clj")
               (io/resource "uncomplicate/neanderthal/core__init.class"))))

(defn close?
  "Whether arrays are equal up to rounding."
  ([a b] (close? a b 1e-10))
  ([a b tolerance] (nd/allclose a b {:rtol tolerance :atol tolerance})))

(defn same-tree?
  "Whether nested data has the same form, with arrays of the same shapes that are `close?`."
  [a b]
  (cond
    (instance? Array a) (and (some? b) (= (nd/shape a) (nd/shape b)) (close? a b))
    (map? a) (and (= (class a) (class b)) (= (keys a) (keys b)) (every? #(same-tree? (get a %) (get b %)) (keys a)))
    (sequential? a) (and (= (count a) (count b)) (every? true? (map same-tree? a b)))
    :else (= a b)))
