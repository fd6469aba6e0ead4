(ns ndgrad.examples.linear-regression-test
  "The Java example compiles without warnings and finds the line."
  (:require
   [clojure.java.io :as io]
   [clojure.test :refer [deftest is]])
  (:import
   (java.io File PrintStream ByteArrayOutputStream)
   (java.net URL URLClassLoader)
   (java.nio.file Files)
   (java.nio.file.attribute FileAttribute)
   (javax.tools ToolProvider)))

(set! *warn-on-reflection* true)

(def ^:private source
  (io/file (io/resource "ndgrad/examples/LinearRegression.java")))

(defn- compiled
  "Compiles the example into `dir`: [status, what the compiler printed]."
  [^File dir]
  (let [out (ByteArrayOutputStream.)
        status (.run (ToolProvider/getSystemJavaCompiler) nil out out
                     ^String/1 (into-array String ["--release" "25" "-Xlint:all,-path" "-Werror"
                                                   "-cp" (System/getProperty "java.class.path")
                                                   "-d" (str dir) (str source)]))]
    [status (str out)]))

(defn- printed-by-main
  "What the main method of the class in `dir` prints."
  [^File dir]
  (let [out (ByteArrayOutputStream.)
        stdout System/out]
    (with-open [loader (URLClassLoader. (into-array URL [(.toURL (.toURI dir))])
                                        (ClassLoader/getSystemClassLoader))]
      (System/setOut (PrintStream. out true "UTF-8"))
      (try
        (-> (.loadClass loader "ndgrad.examples.LinearRegression")
            (.getMethod "main" (into-array Class [String/1]))
            (.invoke nil (object-array [(make-array String 0)])))
        (finally (System/setOut stdout))))
    (str out)))

(deftest finds-the-line
  (let [dir (.toFile (Files/createTempDirectory "ndgrad" (make-array FileAttribute 0)))
        [status messages] (compiled dir)]
    (try
      (is (= [0 ""] [status messages]))
      (let [printed (printed-by-main dir)
            [slope intercept error] (map parse-double (re-seq #"\d+\.\d+" printed))]
        (is (< 1.95 slope 2.05) printed)
        (is (< 0.95 intercept 1.05) printed)
        (is (< 0.005 error 0.02) printed))
      (finally
        (run! #(.delete ^File %) (reverse (file-seq dir)))))))
