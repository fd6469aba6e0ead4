(ns build
  "Builds the jar: `clojure -T:build jar` or `bin/clj -M:build jar`, and the same with `install`,
  `compile-all` and `clean`. The jar holds the compiled Java core, the Clojure sources, compiled
  too where they need nothing else, and resources: no natives, and no dependency that a Java user
  would have to take."
  (:require
   [clojure.edn :as edn]
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.tools.build.api :as b]
   [jdk])
  (:import
   (java.io File)))

(def lib 'io.github.ndgrad/ndgrad)
(def release 25)
(def java-paths ["java-src"])

(def ^:private class-dir "target/classes")
(def ^:private precompiled-dir "target/precompiled")
(def ^:private jar-dir "target/jar")

(defn- version [] (str/trim (slurp (b/resolve-path "resources/ndgrad/VERSION"))))
(defn- jar-file [] (format "target/%s-%s.jar" (name lib) (version)))

(defn- java-files []
  (->> java-paths
       (mapcat #(file-seq (b/resolve-path %)))
       (filter #(str/ends-with? (str %) ".java"))
       (mapv str)))

(defn- javac
  "Compiles the core into `dir`, with the JDK that `jdk` finds: `clojure -X:deps prep` starts
  whatever java is first on the PATH, which may be older."
  [dir]
  (io/make-parents (b/resolve-path dir) "x")
  (let [{:keys [exit]}
        (b/process {:command-args
                    (into [(jdk/tool "javac") "--release" (str release)
                           "--add-modules" "jdk.incubator.vector"
                           "-XDstringConcat=inline" "-Xlint:all,-restricted,-path" "-Werror" "-parameters"
                           "-encoding" "UTF-8" "-classpath" dir "-d" dir]
                          (java-files))})]
    (when-not (zero? exit)
      (throw (ex-info "java-src does not compile" {:exit exit})))))

(defn- basis
  "That of deps.edn, with its dependencies optional: a Java program needs no Clojure."
  []
  (let [project (edn/read-string (slurp (b/resolve-path "deps.edn")))]
    (b/create-basis {:root nil, :user nil
                     :project (-> (select-keys project [:deps :paths])
                                  (update :deps update-vals #(assoc % :optional true)))})))

(defn clean
  "Removes what was built."
  [_]
  (b/delete {:path "target"}))

(defn- precompile
  "Compiles namespaces into `dir` with the Clojure that runs this, against the core's classes in `classes`."
  [dir classes]
  (io/make-parents (b/resolve-path dir) "x")
  (let [jars (filter #(str/ends-with? % ".jar")
                     (str/split (System/getProperty "java.class.path") (re-pattern File/pathSeparator)))
        path (concat ["src" "resources" classes dir] jars)
        {:keys [exit]}
        (b/process {:command-args [(jdk/tool "java") "-Dndgrad.preload=false"
                                   (str "-Dclojure.compile.path=" dir)
                                   "-classpath" (str/join File/pathSeparator path)
                                   "clojure.main" "dev/precompile.clj"]})]
    (when-not (zero? exit)
      (throw (ex-info "src does not compile" {:exit exit})))))

(defn compile-all
  "Compiles java-src into target/classes and namespaces into target/precompiled."
  [_]
  (javac class-dir)
  (b/delete {:path precompiled-dir})
  (precompile precompiled-dir class-dir))

(defn jar
  "Builds the jar and its pom."
  [_]
  (b/delete {:path jar-dir})
  (javac jar-dir)
  (b/copy-dir {:src-dirs ["src" "resources"] :target-dir jar-dir})
  (precompile jar-dir jar-dir)
  (b/copy-file {:src "LICENSE" :target (str jar-dir "/META-INF/LICENSE")})
  (b/write-pom
   {:class-dir jar-dir
    :lib lib
    :version (version)
    :basis (basis)
    :src-dirs ["src"]
    :resource-dirs ["resources"]
    :pom-data [[:description
                "N-dimensional arrays with automatic differentiation for Java and Clojure"]
               [:licenses [:license [:name "MIT"]]]]})
  (b/jar {:class-dir jar-dir, :jar-file (jar-file)})
  (println (jar-file)))

(defn install
  "Builds the jar and puts it into the local Maven repository."
  [opts]
  (jar opts)
  (b/install {:basis (basis)
              :lib lib, :version (version), :jar-file (jar-file), :class-dir jar-dir}))

(defn -main
  "The same from bin/clj: the arguments are names of tasks."
  [& tasks]
  (let [known {"clean" clean, "compile-all" compile-all, "jar" jar, "install" install}]
    (if (and (seq tasks) (every? known tasks))
      (run! #((known %) nil) tasks)
      (do (println "tasks:" (str/join " " (sort (keys known))))
          (System/exit 2))))
  (shutdown-agents))
