(ns ndgrad.neanderthal-test
  "ndgrad.neanderthal: with Neanderthal on the class path everything in neanderthal_suite.clj, without it what a user is
  told then."
  (:require
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.string :as str]
   [clojure.test :refer [deftest is]]
   [ndgrad.test-support :refer [neanderthal? skip]])
  (:import
   (java.io File)
   (java.net URL URLClassLoader)))

(set! *warn-on-reflection* true)

(defn- java
  "Runs `code` in a fresh JVM with these entries on its class path."
  [entries flags code]
  (apply shell/sh (concat [(str (io/file (System/getProperty "java.home") "bin" "java"))
                           "--enable-native-access=ALL-UNNAMED"]
                          flags
                          ["-cp" (str/join File/pathSeparator entries) "clojure.main" "-e" code])))

(defn- class-path [] (str/split (System/getProperty "java.class.path") (re-pattern File/pathSeparator)))

(defn- has-neanderthal? [entry]
  (with-open [loader (URLClassLoader. (into-array URL [(.toURL (.toURI (io/file entry)))]) nil)]
    (boolean (some #(.findResource loader (str "uncomplicate/neanderthal/core" %)) [".clj" "__init.class"]))))

(deftest without-neanderthal-it-says-what-to-add
  (let [{:keys [exit err]} (java (remove has-neanderthal? (class-path)) []
                                 "(require 'ndgrad.core) (require 'ndgrad.neanderthal)")]
    (is (= 1 exit))
    (is (str/includes? err "ndgrad.neanderthal needs Neanderthal"))
    (is (str/includes? err "org.uncomplicate/neanderthal-mkl"))))

(if (neanderthal?)
  (load "neanderthal_suite")
  (deftest beside-neanderthal
    (skip "Neanderthal is not on the class path; doc/neanderthal.md says how to test with it")))
