(ns ndgrad.test-support
  "What test namespaces share."
  (:require
   [clojure.java.io :as io]
   [clojure.test :as t]))

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
