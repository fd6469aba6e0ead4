(ns ndgrad.driver-test
  "bin/clj as a user meets it."
  (:require
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.string :as str]
   [clojure.test :refer [deftest is]]
   [ndgrad.test-support :refer [skip]])
  (:import
   (java.io File)
   (java.nio.file Files)
   (java.nio.file.attribute FileAttribute)))

(def ^:private ^File root
  (-> (io/resource "ndgrad/driver_test.clj") io/file
      .getParentFile .getParentFile .getParentFile))

(def ^:private windows? (str/starts-with? (System/getProperty "os.name") "Windows"))

(defn- clj
  "Runs bin/clj with `args` in a folder that holds `script.clj` with the text `script`."
  [script & args]
  (let [dir (.toFile (Files/createTempDirectory "ndgrad" (make-array FileAttribute 0)))
        file (io/file dir "script.clj")]
    (try
      (spit file script)
      (apply shell/sh (str (io/file root "bin" "clj")) (concat args [:dir dir]))
      (finally (.delete file) (.delete dir)))))

(deftest runs-a-script-where-the-user-is
  (if windows?
    (skip "bin/clj is a shell script")
    (let [{:keys [exit out err]}
          (clj "(prn *command-line-args* (str ndgrad.DType/FLOAT32)
                     (.isNativeAccessEnabled (.getModule (class ndgrad.DType/FLOAT32)))
                     (.isPresent (.findModule (java.lang.ModuleLayer/boot) \"jdk.incubator.vector\")))"
               "-M" "script.clj" "a b" "*")]
      (is (zero? exit) err)
      (is (= "(\"a b\" \"*\") \"float32\" true true" (str/trim out))))))

(deftest loads-compiled-namespaces
  (if windows?
    (skip "bin/clj is a shell script")
    (let [{:keys [exit out err]}
          (clj "(require 'ndgrad.core 'ndgrad.optim)
                (prn (mapv #(instance? clojure.lang.DynamicClassLoader (.getClassLoader (class %)))
                           [(fn []) @#'ndgrad.core/array @#'ndgrad.optim/step]))"
               "-M" "script.clj")]
      (is (zero? exit) err)
      (is (= "[true false false]" (str/trim out)) "what is loaded from a source has a loader of its own")
      (is (= ["ndgrad"] (seq (.list (io/file root "target" "precompiled")))) "none of another library"))))

(deftest passes-on-the-exit-status-and-flags
  (if windows?
    (skip "bin/clj is a shell script")
    (let [{:keys [exit out]} (clj "(println (System/getProperty \"x\")) (System/exit 7)"
                                  "-J-Dx=y z" "-M" "script.clj")]
      (is (= [7 "y z"] [exit (str/trim out)])))))

(deftest says-what-it-does-not-do
  (if windows?
    (skip "bin/clj is a shell script")
    (let [{:keys [exit err]} (clj "" "-X:test")]
      (is (= 1 exit))
      (is (= 1 (count (str/split-lines err))))
      (is (re-find #"-M:alias" err)))))
