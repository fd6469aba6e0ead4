(ns ndgrad.build-test
  "Checks of the build itself: what a compiler would check if it could."
  (:require
   [clojure.edn :as edn]
   [clojure.java.io :as io]
   [clojure.java.shell :as shell]
   [clojure.set :as set]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing]]
   [ndgrad.test-support :refer [neanderthal?]])
  (:import
   (java.io File PrintWriter StringWriter)
   (java.nio.file Files)
   (java.nio.file.attribute FileAttribute)
   (java.util.spi ToolProvider)))

(set! *warn-on-reflection* true)

(def ^:private ^File root
  (-> (io/resource "ndgrad/build_test.clj") io/file
      .getParentFile .getParentFile .getParentFile))

(defn- file ^File [& path] (apply io/file root path))

(defn- files-under [dir extension]
  (->> (file-seq (file dir))
       (filter (fn [^File f] (and (.isFile f) (str/ends-with? (.getName f) extension))))
       (sort-by str)))

(defn- relative [^File f] (str/replace (str (.relativize (.toPath root) (.toPath f))) "\\" "/"))

(defn- scratch-dir []
  (doto (.toFile (Files/createTempDirectory "ndgrad" (make-array FileAttribute 0)))
    .deleteOnExit))

(defn- run-tool
  "Runs one of the JDK's tools; [status, what it printed]."
  [tool-name & args]
  (let [^ToolProvider tool (.get (ToolProvider/findFirst tool-name))
        out (StringWriter.)
        writer (PrintWriter. out)]
    [(.run tool writer writer ^String/1 (into-array String (map str args))) (str out)]))

;; ---- layers ---------------------------------------------------------------------------------

(def ^:private layers
  "A package may use those of groups on its right, and itself. The first group sits on the public API."
  [#{"ndgrad.nn" "ndgrad.optim" "ndgrad.data" "ndgrad.io"}
   #{"ndgrad"} #{"ndgrad.op"} #{"ndgrad.op.spec"} #{"ndgrad.autograd"}
   #{"ndgrad.kernel.convolution" "ndgrad.kernel.factor" "ndgrad.kernel.sort" "ndgrad.kernel.random"}
   #{"ndgrad.kernel.loop"} #{"ndgrad.kernel.code" "ndgrad.kernel.rows"}
   #{"ndgrad.kernel.expr" "ndgrad.kernel.memory"} #{"ndgrad.kernel"} #{"ndgrad.blas"}])

(def ^:private vocabulary
  "Plain classes of `ndgrad` that every package may use, and that use only each other."
  #{"ndgrad.DType" "ndgrad.Index" "ndgrad.NdException" "ndgrad.ShapeException"
    "ndgrad.IndexException" "ndgrad.DTypeException" "ndgrad.ArgumentException"
    "ndgrad.MutationException" "ndgrad.GraphException" "ndgrad.ScopeException" "ndgrad.AnomalyException"})

(defn- package-of [class-name] (str/replace class-name #"\.[A-Z].*$" ""))
(defn- outermost [class-name] (str/replace class-name #"\$.*$" ""))
(defn- layer-of [package] (first (keep-indexed (fn [i l] (when (l package) i)) layers)))

(defn- of-the-jdk? [class-name]
  (try (Class/forName class-name false (ClassLoader/getPlatformClassLoader))
       (catch ClassNotFoundException _ nil)))

(defn- violation
  "Why class `from` must not use class `to`, or nil. Both are outermost class names."
  [from to]
  (let [from-package (package-of from)
        to-package (package-of to)
        from-layer (layer-of from-package)
        to-layer (layer-of to-package)]
    (cond
      (= from to) nil
      (not (str/starts-with? to "ndgrad.")) (when-not (of-the-jdk? to)
                                              (str from " uses " to ": the core needs the JDK only"))
      (nil? from-layer) (str from ": give its package a place in `layers`")
      (nil? to-layer) (str to ": give its package a place in `layers`")
      (and (vocabulary from) (not (vocabulary to)))
      (str from " uses " to ": vocabulary uses vocabulary only")
      (vocabulary to) nil
      (= from-package to-package) nil
      (>= from-layer to-layer)
      (str from " uses " to ": " from-package " must not know " to-package))))

(defn- core-classes []
  (set (for [f (files-under "java-src" ".java")]
         (-> (relative f) (str/replace #"^java-src/|\.java$" "") (str/replace "/" ".")))))

(defn- dependences
  "[from to] of all classes of the core, by the class files that this JVM runs."
  []
  (let [classes (-> (Class/forName "ndgrad.DType") .getProtectionDomain .getCodeSource
                    .getLocation .toURI io/file)
        [status out] (run-tool "jdeps" "-verbose:class" "-filter:none" "--ignore-missing-deps" classes)
        core (core-classes)]
    (is (zero? status) out)
    (distinct (for [line (str/split-lines out)
                    :let [[_ from to] (re-find #"^ +(\S+) +-> +(\S+)" line)]
                    :when (and from (core (outermost from)))]
                [(outermost from) (outermost to)]))))

(deftest packages-import-one-way
  (let [all (dependences)]
    (is (seq all) "jdeps printed no dependence")
    (is (= [] (keep (fn [[from to]] (violation from to)) all)))))

(deftest the-layer-rule-notices
  (is (violation "ndgrad.kernel.memory.Layout" "ndgrad.Array"))
  (is (violation "ndgrad.blas.Blas" "ndgrad.kernel.memory.Layout"))
  (is (violation "ndgrad.DType" "ndgrad.kernel.memory.Layout"))
  (is (violation "ndgrad.kernel.rows.Rows" "ndgrad.kernel.loop.Copies"))
  (is (violation "ndgrad.kernel.expr.Expr" "ndgrad.kernel.memory.Layout"))
  (is (violation "ndgrad.kernel.Threads" "ndgrad.kernel.rows.Rows"))
  (is (violation "ndgrad.Array" "clojure.lang.RT"))
  (is (violation "ndgrad.Array" "ndgrad.optim.Adam"))
  (is (violation "ndgrad.elsewhere.Thing" "ndgrad.DType"))
  (is (nil? (violation "ndgrad.blas.Blas" "ndgrad.ShapeException")))
  (is (nil? (violation "ndgrad.blas.Blas" "com.sun.management.HotSpotDiagnosticMXBean")))
  (is (nil? (violation "ndgrad.kernel.memory.Layout" "ndgrad.kernel.memory.Storage")))
  (is (nil? (violation "ndgrad.Array" "ndgrad.kernel.memory.Layout"))))

(deftest layers-and-vocabulary-exist
  (let [core (core-classes)]
    (is (= #{} (set/difference vocabulary core)) "vocabulary that isn't there")))

;; ---- Javadoc ----------------------------------------------------------------------------------

(deftest javadoc-is-complete
  (let [[status out] (apply run-tool "javadoc" "-quiet" "-Xdoclint:all" "-Xwerror"
                            "--release" "25" "--add-modules" "jdk.incubator.vector"
                            "-encoding" "UTF-8" "-d" (scratch-dir)
                            (files-under "java-src" ".java"))]
    (is (zero? status) out)))

;; ---- warnings ---------------------------------------------------------------------------------

(defn- namespaces-under [dir]
  (for [f (files-under dir ".clj")]
    (-> (relative f) (str/replace-first (str dir "/") "") (str/replace #"\.clj$" "")
        (str/replace "/" ".") (str/replace "_" "-"))))

(defn- in-fresh-jvm
  "Evaluates `code` in a JVM of its own, with `flags`, on the sources of namespaces; {:exit, :out, :err}."
  [code & flags]
  (let [path (str/split (System/getProperty "java.class.path") (re-pattern File/pathSeparator))
        sources (remove #(str/ends-with? % "precompiled") path)]
    (apply shell/sh (str (io/file (System/getProperty "java.home") "bin" "java"))
           (concat flags
                   ["--enable-native-access=ALL-UNNAMED" "--add-modules" "jdk.incubator.vector"
                    "-cp" (str/join File/pathSeparator sources) "clojure.main" "-e" code]))))

(defn- warnings
  "The warnings of reflection and of names taken from clojure.core that loading `namespaces` in a fresh JVM prints, and its
  other output if it fails."
  [namespaces]
  (let [code (str "(set! *warn-on-reflection* true) (run! require '[" (str/join " " namespaces)
                  "]) (shutdown-agents)")
        {:keys [exit err out]} (in-fresh-jvm code)]
    (concat (filter #(re-find #"^(Reflection warning|Boxed math|WARNING: .* already refers to)" %)
                    (str/split-lines err))
            (when-not (zero? exit) [out err]))))

(deftest namespaces-load-without-warnings
  (doseq [dir ["src" "examples"]
          :let [namespaces (cond->> (namespaces-under dir)
                             (not (neanderthal?)) (remove #{"ndgrad.neanderthal"}))]]
    (testing dir
      (is (= [] (warnings namespaces))))))

;; ---- loading -----------------------------------------------------------------------------------

(deftest loading-initialises-no-family
  (let [initialised (fn [code]
                      (->> (in-fresh-jvm code "-Xlog:class+init=info" "-Dndgrad.preload=false") :out
                           (re-seq #"'ndgrad/op/(\w+)'") (map second) set))
        loaded (initialised "(require 'ndgrad.core) (shutdown-agents)")
        used (initialised "(require 'ndgrad.core) (ndgrad.core/exp 1.0) (shutdown-agents)")]
    (is (not (loaded "Arithmetic")) "declarations are made when an op is first called")
    (is (used "Functions") "what is looked for is seen when it is there")))

;; ---- the three build files agree --------------------------------------------------------------

(defn- forms [file-name]
  (with-open [in (java.io.PushbackReader. (io/reader (file file-name)))]
    (doall (take-while some? (repeatedly #(read {:eof nil} in))))))

(defn- lein-project []
  (let [[_ lib version & kvs] (first (filter #(= 'defproject (first %)) (forms "project.clj")))]
    (assoc (apply hash-map kvs) :lib lib :version version)))

(defn- lein-deps
  "{lib version} as deps.edn writes it: a classifier goes behind the name."
  [dependencies]
  (into {} (for [[lib version & {:keys [classifier]}] dependencies]
             [(if classifier (symbol (str lib "$" classifier)) lib) version])))

(defn- edn-deps [deps] (update-vals deps :mvn/version))

(defn- constant
  "The value of (def `sym` …) in the forms of a file."
  [sym all]
  (last (first (filter #(and (seq? %) (= ['def sym] (take 2 %))) all))))

(deftest build-files-agree
  (let [deps (edn/read-string (slurp (file "deps.edn")))
        lein (lein-project)
        build (forms "build.clj")
        version (str/trim (slurp (file "resources/ndgrad/VERSION")))
        test-alias (get-in deps [:aliases :test])
        javac-release (fn [options] (second (drop-while #(not= "--release" %) options)))
        release (second (re-find #"(?m)^release=(\d+)$" (slurp (file "bin/clj"))))]
    (testing "names and version"
      (is (= (:lib lein) (second (constant 'lib build))))
      (is (= version (:version lein))))
    (testing "dependencies"
      (is (= (edn-deps (:deps deps)) (lein-deps (:dependencies lein))))
      (is (= (edn-deps (:extra-deps test-alias))
             (lein-deps (get-in lein [:profiles :test :dependencies]))))
      (doseq [engine [:mkl :openblas :neanderthal]]
        (is (= (edn-deps (get-in deps [:aliases engine :extra-deps]))
               (lein-deps (get-in lein [:profiles engine :dependencies])))))
      (is (= (get-in deps [:aliases :repl :extra-deps]) (:extra-deps test-alias)))
      (let [versions (->> (vals (:aliases deps))
                          (mapcat #(concat (:extra-deps %) (:replace-deps %)))
                          (concat (:deps deps))
                          (reduce (fn [m [lib coordinate]]
                                    (update m (str/replace (str lib) #"\$.*" "")
                                            (fnil conj #{}) (:mvn/version coordinate)))
                                  {}))]
        (is (= {} (into {} (filter #(< 1 (count (val %))) versions)))
            "one version of a library, whichever alias asks")))
    (testing "paths"
      (let [folders (fn [paths] (set (remove #(str/starts-with? % "target/") paths)))]
        (is (= (folders (:paths deps))
               (set (concat (:source-paths lein) (:resource-paths lein)))))
        (is (= (folders (:extra-paths test-alias))
               (set (mapcat (get-in lein [:profiles :test]) [:source-paths :test-paths]))))
        (is (= ["java-src"] (:java-source-paths lein) (constant 'java-paths build)))))
    (testing "the release of Java"
      (is (= release (javac-release (:javac-options lein)) (str (constant 'release build)))))
    (testing "flags of the JVM"
      (is (set/subset? (set (get-in deps [:aliases :flags :jvm-opts]))
                       (set (:jvm-opts lein)))))))

;; ---- odds and ends --------------------------------------------------------------------------------

(defn- text-files []
  (->> (file-seq root)
       (filter (fn [^File f]
                 (and (.isFile f)
                      (not (re-find #"^(target|out|\.git|\.cpcache|\.lsp|\.clj-kondo)(/|$)"
                                    (relative f)))
                      (re-find #"(\.(clj|edn|java|md|py|sh|yml|txt)|bin/\w+|\.ci/\w+)$"
                               (relative f)))))))

(deftest no-registry-hosts
  (let [host #"(?i)\b[\w-]*(maven|clojars|npmjs|pypi|repo\d)[\w-]*\.(apache\.)?(org|com|io)\b"]
    (is (re-find host (str "https://repo1" "." "maven" ".org/x")))
    (is (= [] (filter #(re-find host (slurp %)) (text-files))))))

(defn- loaded-by-a-test?
  "Whether a file beside it whose name ends in _test.clj loads `f`."
  [^File f]
  (let [load-form (str "(load \"" (str/replace (.getName f) ".clj" "") "\")")]
    (some (fn [^File test]
            (and (str/ends-with? (.getName test) "_test.clj") (str/includes? (slurp test) load-form)))
          (.listFiles (.getParentFile f)))))

(deftest every-test-file-is-run
  (let [has-tests? (fn [f] (re-find #"(?m)^\(def(test|spec) " (slurp f)))]
    (is (= [] (->> (files-under "test" ".clj")
                   (filter has-tests?)
                   (remove #(or (str/ends-with? (str %) "_test.clj") (loaded-by-a-test? %)))
                   (map relative)))
        "tests in a file whose name does not end in _test.clj, nor loaded by one beside it")
    (is (= [] (->> (files-under "test" ".java")
                   (filter #(re-find #"@(Test|ParameterizedTest|TestFactory|RepeatedTest)\b" (slurp %)))
                   (remove #(str/ends-with? (str %) "Test.java"))
                   (map relative)))
        "tests in a file whose name does not end in Test.java")))
