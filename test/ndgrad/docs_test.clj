(ns ndgrad.docs-test
  "The code in the README, in doc/ and in docstrings runs and gives what it says."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str]
   [clojure.test :refer [deftest is testing use-fixtures]]
   [clojure.test.check.clojure-test]   ; it looks at clojure.test when it is loaded, not when a test runs
   [ndgrad.doc-blocks :as doc-blocks]
   [ndgrad.test-support :refer [neanderthal?]])
  (:import
   (java.io File)))

(set! *warn-on-reflection* true)

(def ^:private ^File root
  (-> (io/resource "ndgrad/docs_test.clj") io/file
      .getParentFile .getParentFile .getParentFile))

(defn- without-leftovers
  "Runs the tests and deletes the files that the examples have saved among the temporary ones."
  [run]
  (let [saved #(set (filter (fn [^File f] (re-matches #"[a-z]+\d+\.np[yz]" (.getName f)))
                            (.listFiles (io/file (System/getProperty "java.io.tmpdir")))))
        before (saved)]
    (try
      (run)
      (finally
        (run! io/delete-file (remove before (saved)))))))

(use-fixtures :once without-leftovers)

(defn- beside-neanderthal?
  "Whether a page or source file is about Neanderthal."
  [^File f]
  (str/starts-with? (.getName f) "neanderthal."))

(defn- can-run? [f]
  (or (neanderthal?) (not (beside-neanderthal? f))))

(defn- documents []
  (cons (io/file root "README.md")
        (sort (filter (fn [^File f] (and (str/ends-with? (.getName f) ".md") (can-run? f)))
                      (file-seq (io/file root "doc"))))))

(defn- failures [checks]
  (map #(dissoc % :ok) (remove :ok checks)))

(def ^:private must-run
  "Languages of which a document must have a block that runs."
  (cond-> {"README.md" ["clojure" "java"]
           "guide.md" ["clojure"]
           "check.md" ["clojure" "java"]
           "java.md" ["java"]
           "numpy.md" ["clojure"]}
    (neanderthal?) (assoc "neanderthal.md" ["clojure"])))

(deftest documents-are-true
  (let [files (documents)]
    (is (every? (set (map (fn [^File f] (.getName f)) files)) (keys must-run)))
    (doseq [^File f files
            :let [{:keys [checks ran]} (doc-blocks/run-document (.getName f) (slurp f))]]
      (testing (.getName f)
        (is (= [] (failures checks)))
        (doseq [language (must-run (.getName f))]
          (is (pos? (get ran language 0)) (str "no " language " block ran"))
          (is (seq checks) "nothing was compared"))))))

(defn- namespaces
  "The namespaces under src/, loaded."
  []
  (vec (for [^File f (sort (file-seq (io/file root "src")))
             :when (and (str/ends-with? (.getName f) ".clj") (can-run? f))
             :let [text (slurp f)]
             :when (re-find #"(?m)^\(ns " text)
             :let [n (second (read-string text))]]
         (do (require n) n))))

(defn- alias-of [n]
  (or ('{ndgrad.core nd, ndgrad.random r} n)
      (symbol (str/replace (str n) #"^.*\." ""))))

(deftest examples-in-docstrings-run
  (let [all (namespaces)
        preamble [(list* 'clojure.core/require (for [n all] `'[~n :as ~(alias-of n)]))]
        found (doc-blocks/examples all)
        by-namespace (group-by (comp ns-name :ns meta first) found)]
    (is (< 150 (count (by-namespace 'ndgrad.core))))
    (is (seq (by-namespace 'ndgrad.random)))
    (is (= [] (failures (doc-blocks/run-examples preamble found))))))

(def ^:private java-classes
  '[Array ArrayOps Autograd Grad DType Index Options Random Draw Fuse GradCheck io.Npz])

(deftest names-in-the-table-exist
  (namespaces)
  (let [rows (filter #(str/starts-with? % "| `") (str/split-lines (slurp (io/file root "doc/numpy.md"))))
        methods (set (for [c java-classes
                           ^java.lang.reflect.Method m (.getMethods (Class/forName (str "ndgrad." c)))]
                       (.getName m)))
        unknown (for [row rows
                      :let [[_ _ clojure java] (str/split row #"\s\|\s|^\| ")]
                      unknown (concat
                               (for [[_ n v] (re-seq #"\((nd|r|io|check)/([^\s)`]+)" (str clojure))
                                     :let [n ('{nd ndgrad.core, r ndgrad.random, io ndgrad.io
                                                check ndgrad.check} (symbol n))]
                                     :when (not (get (ns-publics n) (symbol v)))]
                                 (str n "/" v))
                               (for [[_ m] (re-seq #"\.(\w+)\(" (str java))
                                     :when (not (methods m))]
                                 m))]
                  unknown)]
    (is (< 30 (count rows)))
    (is (= [] unknown))))

;; ---- the checks themselves --------------------------------------------------------------------

(defn- run-block [language & lines]
  (doc-blocks/run-document "x.md" (str/join "\n" (concat [(str "```" language)] lines ["```"]))))

(defn- verdicts [& block]
  (mapv :ok (:checks (apply run-block block))))

(deftest finds-blocks
  (let [text "a\n```clojure\n(x)\n```\n<!-- not run: needs a GPU -->\n\n```java\ny\n```\n```sh\nz\n```\n"]
    (is (= [["clojure" 3 "(x)" nil] ["java" 8 "y" "needs a GPU"] ["sh" 11 "z" nil]]
           (map (juxt :language :line :code :skip) (doc-blocks/blocks text))))
    (is (= ["  (x)"] (map :code (doc-blocks/blocks "- a\n\n  ```clojure\n  (x)\n  ```\n"))))
    (is (thrown? clojure.lang.ExceptionInfo (doc-blocks/blocks "```clojure\n(x)")))))

(deftest compares-clojure
  (testing "true"
    (is (= [true] (verdicts "clojure" "(+ 1 2) ;=> 3")))
    (is (= [true] (verdicts "clojure" "(+ 1" "   2)" ";=> 3")))
    (is (= [true true] (verdicts "clojure" "(def x 1)" "[x" " x]" "; => [1" ";     1]" "x ;=> 1")))
    (is (= [true] (verdicts "clojure" "(throw (ex-info \"no way\" {})) ;=> throws ExceptionInfo: no")))
    (is (= [true] (verdicts "clojure" "(println 1 2) ;prints 1 2"))))
  (testing "untrue"
    (is (= [false] (verdicts "clojure" "(+ 1 2) ;=> 4")))
    (is (= [false] (verdicts "clojure" "(+ 1 2) ;=> throws ExceptionInfo")))
    (is (= [false] (verdicts "clojure" "(throw (ex-info \"no\" {})) ;=> 3")))
    (is (= [false] (verdicts "clojure" "(throw (ex-info \"no\" {})) ;=> throws ExceptionInfo: yes")))
    (is (= [false] (verdicts "clojure" "(throw (ex-info \"no\" {}))")))
    (is (= [false] (verdicts "clojure" "(undefined)")))
    (is (= [false] (verdicts "clojure" "(println 1) ;prints 2")))
    (is (= [false] (verdicts "clojure" ";=> 4" "(+ 1 2)"))))
  (testing "not run"
    (is (= {:checks [], :ran {}, :skipped 1}
           (doc-blocks/run-document "x" "<!-- not run: it is slow -->\n```clojure\n(undefined)\n```")))
    (is (= [false] (map :ok (:checks (doc-blocks/run-document
                                      "x" "<!-- not run: -->\n```clojure\n1\n```")))))))

(deftest compares-java
  (testing "true"
    (is (= [true true] (verdicts "java" "int x = 1;" "x + 2;  // => 3" "int y = x +" "  3;" "// => 4")))
    (is (= [true] (verdicts "java" "Integer.parseInt(\"x\");  // => throws NumberFormatException: For")))
    (is (= [] (verdicts "java" "class A {" "  public static void main(String[] a) {}" "}"))))
  (testing "untrue"
    (is (= [false] (verdicts "java" "1 + 2;  // => 4")))
    (is (= [false] (verdicts "java" "int x = \"a\";")))
    (is (= [false] (verdicts "java" "undefined();")))
    (is (= [false] (verdicts "java" "Integer.parseInt(\"x\");")))
    (is (= [false] (verdicts "java" "class B {" "  public static void main(String[] a) {" "    throw new RuntimeException(); }"
                             "}")))))

(deftest notices-broken-examples
  (let [check (fn [doc] (let [v (intern (create-ns 'ndgrad.doc-sample) 'f 1)]
                          (alter-meta! v assoc :doc doc)
                          (map :ok (doc-blocks/run-examples [] (doc-blocks/examples ['ndgrad.doc-sample])))))]
    (is (= [true] (check "F. Example: (inc 1)")))
    (is (= [false] (check "F. Example: (inc :a)")))
    (is (= [false] (check "F. Example: (inc 1")))
    (is (= [false] (check "F. Example: ")))
    (is (= [] (check "F.")))))
